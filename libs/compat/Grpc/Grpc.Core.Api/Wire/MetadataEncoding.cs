namespace Grpc.Core.Wire;

/// <summary>Metadata as HTTP header values: text as it is, bytes as base64.</summary>
internal static class MetadataEncoding
{
    public static string Encode(Metadata.Entry entry) =>
        entry.IsBinary ? Convert.ToBase64String(entry.RawBytes).TrimEnd('=') : entry.Value;

    /// <summary>Adds a header to metadata. Binary values may be several, separated by commas; padding is optional.</summary>
    /// <exception cref="RpcException">A binary value isn't base64.</exception>
    public static void Decode(Metadata metadata, string name, string value)
    {
        if (!Metadata.Entry.HasBinaryHeaderSuffix(name))
        {
            metadata.Add(name, value);
            return;
        }

        foreach (Range range in value.AsSpan().Split(','))
        {
            metadata.Add(name, DecodeBase64(name, value.AsSpan()[range].Trim()));
        }
    }

    private static byte[] DecodeBase64(string name, ReadOnlySpan<char> text)
    {
        ReadOnlySpan<char> digits = text.TrimEnd('=');
        Span<char> padded = digits.Length <= 252 ? stackalloc char[256] : new char[digits.Length + 3];
        digits.CopyTo(padded);
        int length = (digits.Length + 3) / 4 * 4;
        padded[digits.Length..length].Fill('=');
        byte[] bytes = new byte[length / 4 * 3];
        if (!Convert.TryFromBase64Chars(padded[..length], bytes, out int written))
        {
            throw new RpcException(new Status(StatusCode.Internal, $"The value of the metadata key '{name}' isn't base64."));
        }

        return bytes[..written];
    }
}
