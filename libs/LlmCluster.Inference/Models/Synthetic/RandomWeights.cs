using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlmCluster.Inference.Models.Synthetic;

/// <summary>
/// Draws the elements of one tensor. Element i depends on (seed, tensor's name, i) alone, through whole-number
/// arithmetic and single-precision operations that IEEE 754 defines to the bit, so every machine draws the same.
/// </summary>
internal sealed class RandomWeights
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    // Four uniform 16-bit numbers added up: mean 2 · 65535, variance 4 · (65536² − 1) / 12.
    private const int SumMean = 2 * 65535;
    private static readonly double SumDeviation = Math.Sqrt((65536.0 * 65536.0 - 1) / 3);

    private readonly ulong _key;
    private readonly float _offset;
    private readonly float _scale;

    public RandomWeights(ulong seed, TensorSpec spec, ModelConfig config)
    {
        _key = Key(seed, spec.Name);
        (_offset, double deviation) = Distribution(spec, config);
        _scale = (float)(deviation / SumDeviation);
    }

    /// <summary>Draws the elements from index <paramref name="first"/> on.</summary>
    public void Fill(long first, Span<float> destination)
    {
        ulong state = _key + (unchecked((ulong)first + 1) * Increment);
        for (int i = 0; i < destination.Length; i++)
        {
            ulong bits = Mix(state);
            int sum = (int)((bits & 0xFFFF) + ((bits >> 16) & 0xFFFF) + ((bits >> 32) & 0xFFFF) + (bits >> 48));
            destination[i] = _offset + (_scale * (sum - SumMean));
            state += Increment;
        }
    }

    /// <summary>
    /// Mean and standard deviation. Projections keep the variance of what they read; what they add to the residual
    /// stream is as large as the token's own embedding, so that both count; logits have a standard deviation of
    /// about <c>LogitDeviation</c>, so that few tokens are likely at a time. A tied head would mostly find the
    /// embedding that it was just given, and greedy output would repeat one token; a final norm with weights of both
    /// signs undoes that likeness.
    /// </summary>
    private static (float Mean, double Deviation) Distribution(TensorSpec spec, ModelConfig config)
    {
        const double LogitDeviation = 3;
        const double OutputGain = 3; // Times the embedding's deviation: attention and activation shrink what they pass on.
        double head = LogitDeviation / Math.Sqrt(config.HiddenSize);
        double embedding = config.TieWordEmbeddings ? head : 1;
        return spec.Role switch
        {
            TensorRole.Embedding => (0, embedding),
            TensorRole.InputProjection => (0, 1 / Math.Sqrt(spec.Shape[1])),
            TensorRole.OutputProjection => (0, OutputGain * embedding / Math.Sqrt(spec.Shape[1])),
            TensorRole.Bias => (0, 0.2),
            TensorRole.Norm when config.TieWordEmbeddings && spec.Name == ModelTensors.FinalNorm => (0, 1),
            TensorRole.Norm => (1, 0.1),
            TensorRole.Head => (0, head),
            _ => throw new ArgumentOutOfRangeException(nameof(spec), spec.Role, null),
        };
    }

    /// <summary>The output function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).</summary>
    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    private static ulong Key(ulong seed, string name)
    {
        byte[] input = new byte[sizeof(ulong) + Encoding.UTF8.GetByteCount(name)];
        BinaryPrimitives.WriteUInt64LittleEndian(input, seed);
        Encoding.UTF8.GetBytes(name, input.AsSpan(sizeof(ulong)));
        return BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(input));
    }
}
