using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu;

/// <summary>Number format of the packed weights.</summary>
public enum WeightDtype
{
    /// <summary>bfloat16, two bytes; sums are in single precision.</summary>
    BF16,

    /// <summary>IEEE single precision, four bytes.</summary>
    F32,

    /// <summary>Integers of eight bits, 32 of which share a scale: nine bits in all. Weights are rounded when the model is loaded, or were by <see cref="CheckpointQuantizer"/>.</summary>
    Q8,

    /// <summary>Integers of four bits, 32 of which share a scale: five bits in all. Weights are rounded when the model is loaded, or were by <see cref="CheckpointQuantizer"/>.</summary>
    Q4,
}

/// <summary>How the CPU backend holds and runs a model.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads that compute one forward pass, the caller's counted; never changes a bit of the result. None: as many as
    /// <see cref="Affinity"/> lists, or else <see cref="UsableProcessors.Count"/>.</summary>
    public int? Threads { get; init; }

    /// <summary>
    /// Processors, such as <c>0-3,8</c>, to which the threads are tied, one each in that order; none: the system chooses. Linux only.
    /// </summary>
    public string? Affinity { get; init; }

    /// <summary>The threads that there will be.</summary>
    public int ThreadCount => Threads ?? (Affinity is { Length: > 0 } ? ProcessorList.Parse(Affinity).Length : UsableProcessors.Count);

    /// <summary>Instruction set of the kernels; none: the widest there is.</summary>
    public CpuIsa? Isa { get; init; }

    /// <summary>Number format of the weights; none: F32 for a checkpoint in F32, BF16 for one in BF16 or F16, a quantised one's own.</summary>
    public WeightDtype? Weights { get; init; }

    /// <summary>Number format of the KV cache; none: that of the weights, BF16 for integers.</summary>
    public KvDtype? Kv { get; init; }

    /// <summary>Tokens in a KV block.</summary>
    public int BlockSize { get; init; } = KvLayout.DefaultBlockSize;

    /// <summary>
    /// Whether decode in F32 and BF16 asks memory for weights further on; never changes a bit of the result. None: not on AMD's processors, which read ahead far enough by
    /// themselves (<c>./llmc bench engine --prefetch-weights</c> tells for another). A model that doesn't ask packs BF16 for such a processor where there is AVX-512.
    /// </summary>
    public bool? PrefetchWeights { get; init; }

    /// <summary>What <see cref="PrefetchWeights"/> comes to on this processor.</summary>
    public bool PrefetchesWeights => PrefetchWeights ?? !HardwarePrefetch.KeepsUp;

    /// <summary>Checks the values on their own.</summary>
    /// <exception cref="ArgumentException">A value is out of range, or this processor lacks the instruction set.</exception>
    public void Validate()
    {
        if (Threads is < 1 or > 1024)
        {
            throw new ArgumentException($"CpuOptions.Threads is {Threads}; it must lie between 1 and 1024.");
        }

        ValidateAffinity();

        if (BlockSize is < 1 or > 1024)
        {
            throw new ArgumentException($"CpuOptions.BlockSize is {BlockSize}; it must lie between 1 and 1024 tokens.");
        }

        if (Isa is { } isa && !CpuIsaSupport.IsSupported(isa))
        {
            throw new ArgumentException($"CpuOptions.Isa asks for {isa}, which this processor lacks; the widest it runs is {CpuIsaSupport.Best}.");
        }
    }

    /// <summary>The processors of <see cref="Affinity"/>; null where the system chooses.</summary>
    internal int[]? Processors => Affinity is { Length: > 0 } ? ProcessorList.Parse(Affinity) : null;

    private void ValidateAffinity()
    {
        int[]? processors;
        try
        {
            processors = Processors;
        }
        catch (ArgumentException e)
        {
            throw new ArgumentException($"CpuOptions.Affinity: {e.Message}", e);
        }

        if (processors is null)
        {
            return;
        }

        if (!ProcessorAffinity.IsSupported)
        {
            throw new ArgumentException($"CpuOptions.Affinity is '{Affinity}', but threads can be tied to processors on Linux alone; leave it out.");
        }

        int[] usable = ProcessorAffinity.OfProcess();
        if (processors.Except(usable).ToArray() is { Length: > 0 } others)
        {
            throw new ArgumentException(
                $"CpuOptions.Affinity is '{Affinity}', but this process may not use {ProcessorList.Format(others)}; it may use {ProcessorList.Format(usable)}.");
        }

        if (processors.Length < ThreadCount)
        {
            throw new ArgumentException(
                $"CpuOptions.Affinity is '{Affinity}', {processors.Length} in all, too few for {ThreadCount} threads; list one for each.");
        }
    }
}
