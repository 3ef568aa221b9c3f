using System.Globalization;

namespace LlmCluster.Inference.KvCache;

/// <summary>Number format of keys and values in the cache.</summary>
public enum KvDtype
{
    /// <summary>IEEE single precision, four bytes.</summary>
    F32,

    /// <summary>bfloat16, two bytes.</summary>
    BF16,

    /// <summary>
    /// Integers of eight bits, with a scale in single precision for each token and head. The scales of a block's tokens come first, then the integers, then
    /// what fills every head up to whole words.
    /// </summary>
    Int8,
}

/// <summary>
/// Shape of a paged KV cache. The bytes of one (layer, block) are contiguous, and within them those of each KV head: its keys as
/// <c>[HeadDim][BlockSize]</c>, so that attention multiplies an element of the query with those of many tokens at once, then its values as <c>[BlockSize][HeadDim]</c>.
/// Little-endian.
/// </summary>
/// <param name="Layers">Decoder layers.</param>
/// <param name="KvHeads">Key and value heads.</param>
/// <param name="HeadDim">Width of one head.</param>
/// <param name="Dtype">Number format.</param>
/// <param name="BlockSize">Tokens in a block.</param>
public sealed record KvLayout(int Layers, int KvHeads, int HeadDim, KvDtype Dtype, int BlockSize = KvLayout.DefaultBlockSize)
{
    /// <summary>Tokens in a block unless configured otherwise.</summary>
    public const int DefaultBlockSize = 16;

    /// <summary>Bytes of one head of one token's keys, or values.</summary>
    public int HeadBytes => HeadBytesOf(Dtype, HeadDim);

    /// <summary>Bytes of one head's keys, or values, of one layer of one block.</summary>
    public int HeadBlockBytes => BlockSize * HeadBytes;

    /// <summary>Bytes of one layer of one block, keys and values together.</summary>
    public int LayerBlockBytes => 2 * KvHeads * HeadBlockBytes;

    /// <summary>Bytes of one block over all layers.</summary>
    public long BlockBytes => (long)Layers * LayerBlockBytes;

    /// <summary>Blocks that hold <paramref name="tokens"/> tokens.</summary>
    public int BlocksFor(int tokens) => (tokens + BlockSize - 1) / BlockSize;

    /// <summary>Checks that so many bytes are so many blocks of one layer.</summary>
    /// <exception cref="ArgumentException">They are not.</exception>
    public void CheckLength(int blocks, long bytes)
    {
        if (bytes != (long)blocks * LayerBlockBytes)
        {
            throw new ArgumentException($"{blocks} blocks came with {bytes} bytes; a block of one layer has {LayerBlockBytes}.", nameof(bytes));
        }
    }

    /// <summary>Bytes of one head of one token's keys, or values.</summary>
    public static int HeadBytesOf(KvDtype dtype, int headDim) => dtype switch
    {
        KvDtype.F32 => headDim * sizeof(float),
        KvDtype.BF16 => headDim * sizeof(ushort),
        KvDtype.Int8 => sizeof(float) + ((headDim + sizeof(float) - 1) / sizeof(float) * sizeof(float)),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Unknown number format."),
    };

    /// <summary>A readable identity, for example <c>kv2:l12:h4x64:bf16:b16</c>, 2 being the order of the bytes; two workers exchange blocks only when theirs are equal.</summary>
    public string Fingerprint => string.Create(
        CultureInfo.InvariantCulture,
        $"kv2:l{Layers}:h{KvHeads}x{HeadDim}:{Dtype.ToString().ToLowerInvariant()}:b{BlockSize}");
}
