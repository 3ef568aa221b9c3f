using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace LlmCluster.Inference.Models;

/// <summary>
/// The identity of a model: SHA-256, cut to 128 bits, over every field of the configuration that decides a result
/// (so not the context length), and for each tensor, in the order of <see cref="ModelTensors.All"/>, its name, number
/// format, shape and a sample of its bytes.
/// </summary>
/// <remarks>
/// Up to <see cref="WholeBytes"/> all bytes of a tensor count. Of a larger one <see cref="Pages"/> pages of
/// <see cref="PageBytes"/> bytes count, spaced evenly from its first byte to its last: page i begins at
/// <c>⌊i · (length − PageBytes) / (Pages − 1)⌋</c>. So a model of many gigabytes is identified in milliseconds, and
/// weights that were trained, quantised or converted otherwise still differ.
/// </remarks>
internal static class CheckpointFingerprint
{
    public const int WholeBytes = 64 * 1024;
    public const int PageBytes = 4096;
    public const int Pages = 16;

    /// <summary>Computes the identity, 32 lower-case hexadecimal digits.</summary>
    public static unsafe string Compute(ModelConfig config, IEnumerable<TensorView> tensors)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Describe(config));
        foreach (TensorView tensor in tensors)
        {
            Append(hash, $"{tensor.Name} {tensor.Dtype} {ModelTensors.Format(tensor.Shape)}");
            if (tensor.ByteLength <= WholeBytes)
            {
                hash.AppendData(tensor.Bytes);
                continue;
            }

            for (long page = 0; page < Pages; page++)
            {
                long offset = page * (tensor.ByteLength - PageBytes) / (Pages - 1);
                hash.AppendData(new ReadOnlySpan<byte>(tensor.Pointer + offset, PageBytes));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    private static string Describe(ModelConfig config)
    {
        string scaling = config.RopeScaling is { } s
            ? string.Create(CultureInfo.InvariantCulture, $"llama3 {s.Factor:R} {s.LowFrequencyFactor:R} {s.HighFrequencyFactor:R} {s.OriginalMaxPositions}")
            : "none";
        string quantization = config.Quantization is { } q ? $" quantization {q.Bits} version {WeightQuantization.Version}" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{config.Architecture} vocab {config.VocabSize} hidden {config.HiddenSize} ffn {config.IntermediateSize} layers {config.Layers} "
            + $"heads {config.Heads} kv {config.KvHeads} dim {config.HeadDim} eps {config.RmsNormEps:R} theta {config.RopeTheta:R} "
            + $"scaling {scaling} tied {config.TieWordEmbeddings} bias {config.QkvBias} norm {config.QkNorm} window {config.SlidingWindow ?? 0}{quantization}");
    }

    private static void Append(IncrementalHash hash, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
