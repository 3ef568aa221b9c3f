using System.Numerics;

namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>Lengths from 1 in buckets: one each up to 16, then eight an octave. Longer ones than <see cref="Longest"/> count as that long.</summary>
internal static class LengthBuckets
{
    private const int Exact = 16;
    private const int ExactBits = 4;
    private const int PartBits = 3;
    private const int Octaves = 20;

    /// <summary>The longest length.</summary>
    public const int Longest = 1 << Octaves;

    /// <summary>Number of buckets.</summary>
    public const int Count = Exact + ((Octaves - ExactBits) << PartBits);

    /// <summary>The bucket of a length.</summary>
    public static int Of(int length)
    {
        int offset = Math.Clamp(length, 1, Longest) - 1;
        if (offset < Exact)
        {
            return offset;
        }

        int octave = BitOperations.Log2((uint)offset);
        int part = (offset >> (octave - PartBits)) & ((1 << PartBits) - 1);
        return Exact + ((octave - ExactBits) << PartBits) + part;
    }

    /// <summary>The shortest length in a bucket.</summary>
    public static int First(int bucket)
    {
        if (bucket < Exact)
        {
            return bucket + 1;
        }

        int octave = ExactBits + ((bucket - Exact) >> PartBits);
        int part = (bucket - Exact) & ((1 << PartBits) - 1);
        return (((1 << PartBits) + part) << (octave - PartBits)) + 1;
    }

    /// <summary>How many lengths a bucket holds.</summary>
    public static int Width(int bucket) => bucket < Exact ? 1 : 1 << (ExactBits + ((bucket - Exact) >> PartBits) - PartBits);

    /// <summary>The longest length in a bucket.</summary>
    public static int Last(int bucket) => First(bucket) + Width(bucket) - 1;
}
