using System.Collections.Frozen;

namespace Grpc.Core.Wire;

/// <summary>Names that the protocol gives to HTTP headers and trailers.</summary>
internal static class GrpcHeaders
{
    public const string ContentType = "application/grpc";
    public const string Status = "grpc-status";
    public const string Message = "grpc-message";
    public const string Timeout = "grpc-timeout";
    public const string Encoding = "grpc-encoding";
    public const string AcceptEncoding = "grpc-accept-encoding";
    public const string IdentityEncoding = "identity";
    public const string GzipEncoding = "gzip";

    /// <summary>Headers of the protocol itself, which are no metadata.</summary>
    private static readonly FrozenSet<string> Reserved = new[]
    {
        Status, Message, Timeout, Encoding, AcceptEncoding,
        "content-type", "content-length", "te", "host", "accept-encoding", "transfer-encoding",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a header is metadata. Names that metadata keys can't have are left out.</summary>
    public static bool IsMetadata(string name) => Metadata.Entry.IsValidKey(name) && !Reserved.Contains(name);

    /// <summary>application/grpc, alone or with a message format (<c>+proto</c>) or a parameter.</summary>
    public static bool IsGrpcContentType(string? contentType) =>
        contentType is not null
        && contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase)
        && (contentType.Length == ContentType.Length || contentType[ContentType.Length] is '+' or ';');
}
