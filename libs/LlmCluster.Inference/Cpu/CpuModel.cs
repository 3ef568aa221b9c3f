using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// A model's weights, packed for the CPU kernels. Immutable, so that several <see cref="CpuModelRunner"/> in one process
/// share it; the memory that they share is counted once.
/// </summary>
public sealed class CpuModel : IDisposable
{
    private readonly List<LayerWeights> _layers = [];

    private CpuModel(Checkpoint checkpoint, CpuOptions options)
    {
        Checkpoint = checkpoint;
        Options = options;
        Isa = options.Isa ?? CpuIsaSupport.Best;
        Kernels = CpuKernels.For(Isa);
        Weights = ChooseWeights(checkpoint, options.Weights);
        KvDtype kv = options.Kv ?? (Weights == WeightDtype.F32 ? KvDtype.F32 : KvDtype.BF16);
        KvLayout = new KvLayout(Config.Layers, Config.KvHeads, Config.HeadDim, kv, options.BlockSize);
        Fingerprint = $"{checkpoint.Fingerprint}:cpu-{Name(Isa)}:w-{Name(Weights)}:{KvLayout.Fingerprint}";
        Embedding = checkpoint.GetTensor(ModelTensors.Embedding, Config.VocabSize, Config.HiddenSize);
        Rotary = new RotaryTable(Config);
    }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config => Checkpoint.Config;

    /// <summary>How it was loaded.</summary>
    public CpuOptions Options { get; }

    /// <summary>Instruction set of the kernels.</summary>
    public CpuIsa Isa { get; }

    /// <summary>Number format of the weights.</summary>
    public WeightDtype Weights { get; }

    /// <summary>Shape of the KV pools of its runners.</summary>
    public KvLayout KvLayout { get; }

    /// <summary>See <see cref="Execution.IModelRunner.Fingerprint"/>: checkpoint, instruction set, weight and KV format.</summary>
    public string Fingerprint { get; }

    /// <summary>Bytes of packed weights. The embedding table stays in the checkpoint's memory map.</summary>
    public long WeightBytes => _layers.Sum(static layer => layer.Bytes) + Head.Bytes;

    internal Checkpoint Checkpoint { get; }

    internal CpuKernels Kernels { get; }

    internal TensorView Embedding { get; }

    internal RotaryTable Rotary { get; }

    internal IReadOnlyList<LayerWeights> Layers => _layers;

    internal NativeBuffer FinalNorm { get; private set; } = null!;

    internal PackedMatrix Head { get; private set; } = null!;

    /// <summary>
    /// Packs a checkpoint's weights.
    /// </summary>
    /// <param name="checkpoint">The checkpoint; must stay open as long as the model is used, because embeddings are read from it.</param>
    /// <param name="options">Number formats, instruction set, threads.</param>
    /// <exception cref="ArgumentException">The options are out of range, or this processor lacks the instruction set.</exception>
    /// <exception cref="CheckpointException">
    /// A tensor is missing or has the wrong shape, or the checkpoint is quantised and another number format is asked for.
    /// </exception>
    public static CpuModel Load(Checkpoint checkpoint, CpuOptions options)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (!CpuIsaSupport.IsSupported(CpuIsa.Portable))
        {
            throw new ArgumentException("The CPU backend needs a little-endian processor.", nameof(options));
        }

        var model = new CpuModel(checkpoint, options);
        try
        {
            var loader = new WeightLoader(checkpoint, model.Weights, model.Kernels.PanelGroup(model.Weights, options.PrefetchesWeights), options.ThreadCount);
            for (int layer = 0; layer < model.Config.Layers; layer++)
            {
                model._layers.Add(LayerWeights.Load(loader, layer));
            }

            model.FinalNorm = loader.Vector(ModelTensors.FinalNorm, model.Config.HiddenSize);
            model.Head = loader.Matrix(model.Config.HiddenSize, (ModelTensors.OutputHead(model.Config), model.Config.VocabSize));
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Frees the weights. Its runners must be disposed before.</summary>
    public void Dispose()
    {
        foreach (LayerWeights layer in _layers)
        {
            layer.Dispose();
        }

        FinalNorm?.Dispose();
        Head?.Dispose();
        Rotary.Dispose();
    }

    private static WeightDtype ChooseWeights(Checkpoint checkpoint, WeightDtype? asked)
    {
        if (checkpoint.Config.Quantization is not { } quantization)
        {
            TensorDtype numbers = checkpoint.GetTensor(ModelTensors.Layer(0).Query).Dtype;
            return asked ?? (numbers == TensorDtype.F32 ? WeightDtype.F32 : WeightDtype.BF16);
        }

        WeightDtype stored = quantization.Bits == 8 ? WeightDtype.Q8 : WeightDtype.Q4;
        return asked is null || asked == stored
            ? stored
            : throw new CheckpointException(
                checkpoint.Directory,
                $"holds weights that are quantised to {stored} and can't be loaded as {asked}; ask for {stored} or for no format, or take the checkpoint that it was made from.");
    }

    private static string Name(CpuIsa isa) => isa switch
    {
        CpuIsa.Avx512 => "avx512",
        CpuIsa.Avx2 => "avx2",
        _ => "portable",
    };

    private static string Name(WeightDtype dtype) => dtype.ToString().ToLowerInvariant();
}
