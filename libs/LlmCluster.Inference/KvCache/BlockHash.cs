using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace LlmCluster.Inference.KvCache;

/// <summary>
/// Identity of a full KV block: 128 bits of SHA-256 over the parent block's hash and the block's token ids as
/// little-endian int32. Equal hashes mean equal prefixes within one tenant, model and adapter.
/// </summary>
public readonly record struct BlockHash(ulong High, ulong Low)
{
    /// <summary>Bytes of a hash.</summary>
    public const int Size = 16;

    /// <summary>Parent of a sequence's first block.</summary>
    /// <param name="modelFingerprint">Identity of weights and number formats.</param>
    /// <param name="adapter">Adapter name, or empty.</param>
    /// <param name="cacheSalt">Tenant's salt: different salts never share blocks; empty for none.</param>
    public static BlockHash Root(string modelFingerprint, string adapter = "", string cacheSalt = "")
    {
        // Lengths first, so that no two different triples give the same bytes.
        byte[] text = Encoding.UTF8.GetBytes($"{modelFingerprint.Length}:{modelFingerprint}|{adapter.Length}:{adapter}|{cacheSalt.Length}:{cacheSalt}");
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text, digest);
        return Read(digest);
    }

    /// <summary>Hash of the block that follows this one and holds <paramref name="tokens"/>.</summary>
    public BlockHash Next(ReadOnlySpan<int> tokens)
    {
        int length = Size + (tokens.Length * sizeof(int));
        Span<byte> input = length <= 512 ? stackalloc byte[length] : new byte[length];
        Write(input);
        if (BitConverter.IsLittleEndian)
        {
            MemoryMarshal.AsBytes(tokens).CopyTo(input[Size..]);
        }
        else
        {
            for (int i = 0; i < tokens.Length; i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(input[(Size + (i * sizeof(int)))..], tokens[i]);
            }
        }

        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(input, digest);
        return Read(digest);
    }

    /// <summary>Hashes of all full blocks of <paramref name="tokens"/>, in order.</summary>
    public static BlockHash[] Chain(BlockHash root, ReadOnlySpan<int> tokens, int blockSize)
    {
        var hashes = new BlockHash[tokens.Length / blockSize];
        BlockHash parent = root;
        for (int i = 0; i < hashes.Length; i++)
        {
            parent = parent.Next(tokens.Slice(i * blockSize, blockSize));
            hashes[i] = parent;
        }

        return hashes;
    }

    /// <summary>Reads a hash from its 16 big-endian bytes.</summary>
    public static BlockHash Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(source), BinaryPrimitives.ReadUInt64BigEndian(source[8..]));

    /// <summary>Writes the hash as 16 big-endian bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{High:x16}{Low:x16}";
}
