using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Inference.Cpu;

/// <summary>How <see cref="CheckpointQuantizer"/> works.</summary>
public sealed record QuantizationOptions
{
    /// <summary>The number format that matrices get: Q8 or Q4.</summary>
    public required WeightDtype To { get; init; }

    /// <summary>Threads that round; never changes a bit of the result.</summary>
    public int Threads { get; init; } = UsableProcessors.Count;

    /// <summary>Told after each tensor.</summary>
    public IProgress<QuantizationProgress>? Progress { get; init; }

    /// <summary>Checks the values on their own.</summary>
    /// <exception cref="ArgumentException">A value is out of range.</exception>
    public void Validate()
    {
        if (To is not (WeightDtype.Q8 or WeightDtype.Q4))
        {
            throw new ArgumentException($"QuantizationOptions.To is {To}; it must be {WeightDtype.Q8} or {WeightDtype.Q4}.");
        }

        if (Threads is < 1 or > 1024)
        {
            throw new ArgumentException($"QuantizationOptions.Threads is {Threads}; it must lie between 1 and 1024.");
        }
    }
}

/// <summary>How far the work is.</summary>
/// <param name="Done">Tensors that are written.</param>
/// <param name="Total">All tensors.</param>
public readonly record struct QuantizationProgress(int Done, int Total);

/// <summary>What <see cref="CheckpointQuantizer"/> did.</summary>
/// <param name="BytesBefore">Bytes of the source's weight files.</param>
/// <param name="BytesAfter">Bytes of the files that were written instead.</param>
/// <param name="Fingerprint">The new checkpoint's <see cref="Models.Checkpoint.Fingerprint"/>.</param>
public sealed record QuantizationResult(long BytesBefore, long BytesAfter, string Fingerprint);
