using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>Memory of a forward pass. Only the residual stream holds every row of a batch; all else holds one chunk.</summary>
internal sealed unsafe class Workspace : IDisposable
{
    /// <summary>
    /// Most rows of a chunk: whole tiles of every instruction set. The more there are, the less often weights are read and widened, but all that a step hands to the next is
    /// held for each of them.
    /// </summary>
    public const int MaxChunkRows = 516;

    private const int MaxLogitBytes = 32 << 20;

    private readonly NativeBuffer[] _attentionScratch;
    private readonly NativeBuffer[] _gemmScratch;
    private readonly NativeBuffer[] _rowScratch;
    private readonly NativeBuffer[] _ownLeft;
    private readonly int _leftWidth;
    private NativeBuffer? _residual;
    private NativeBuffer? _selected;
    private NativeBuffer? _left;
    private NativeBuffer? _queryKeyValue;
    private NativeBuffer? _attention;
    private NativeBuffer? _gateUp;
    private NativeBuffer? _logits;
    private NativeBuffer? _attentionParts;

    public Workspace(CpuModel model, int threads)
    {
        ModelConfig config = model.Config;
        LayerWeights layer = model.Layers[0];
        int queries = config.Heads * config.HeadDim;
        HiddenStride = Stride(Panel.RoundUp(config.HiddenSize));
        QueryKeyValueStride = Stride(layer.QueryKeyValue.Width);
        AttentionStride = Stride(Panel.RoundUp(queries));
        GateUpStride = Stride(layer.GateUp.Width);
        RowStride = Stride(Panel.RoundUp(Math.Max(config.HiddenSize, config.IntermediateSize)));
        _leftWidth = Panel.RoundUp(Math.Max(Math.Max(config.HiddenSize, config.IntermediateSize), queries));
        LogitStride = model.Head.Width;
        long fittingRows = MaxLogitBytes / sizeof(float) / LogitStride;
        MaxLogitRows = (int)Math.Clamp(fittingRows / model.Kernels.TileRows, 1, MaxChunkRows / model.Kernels.TileRows) * model.Kernels.TileRows;

        _attentionScratch = PerThread(threads, model.Kernels.AttentionScratchBytes(config.HeadDim, config.Heads / config.KvHeads));
        _gemmScratch = PerThread(threads, model.Kernels.GemmScratchBytes);
        _rowScratch = PerThread(threads, (long)model.Kernels.TileRows * RowStride * sizeof(float));
        _ownLeft = PerThread(threads, (long)model.Kernels.TileRows * _leftWidth * sizeof(float));
    }

    /// <summary>Threads that have memory of their own here.</summary>
    public int Threads => _rowScratch.Length;

    public int HiddenStride { get; }

    public int QueryKeyValueStride { get; }

    public int AttentionStride { get; }

    public int GateUpStride { get; }

    public int LogitStride { get; }

    /// <summary>Stride of <see cref="RowScratch"/>.</summary>
    public int RowStride { get; }

    /// <summary>Rows of logits that are computed together.</summary>
    public int MaxLogitRows { get; }

    /// <summary>The residual stream of all rows.</summary>
    public float* Residual => _residual!.Floats;

    /// <summary>The residual stream of the rows that want logits, in the last layer.</summary>
    public float* Selected => _selected!.Floats;

    /// <summary>The left operand of the next product.</summary>
    public float* Left => _left!.Floats;

    /// <summary>One tile of the left operand that a thread makes for itself.</summary>
    public float* OwnLeft(int thread) => _ownLeft[thread].Floats;

    public float* QueryKeyValue => _queryKeyValue!.Floats;

    public float* Attention => _attention!.Floats;

    public float* GateUp => _gateUp!.Floats;

    public float* Logits => _logits!.Floats;

    public byte* AttentionScratch(int thread) => _attentionScratch[thread].Pointer;

    public byte* GemmScratch(int thread) => _gemmScratch[thread].Pointer;

    /// <summary>Room for parts of attention tasks; holds what was there while it is large enough.</summary>
    public float* AttentionParts(long floats)
    {
        Grow(ref _attentionParts, floats);
        return _attentionParts!.Floats;
    }

    /// <summary>One tile of rows on the way to a left operand.</summary>
    public float* RowScratch(int thread) => _rowScratch[thread].Floats;

    /// <summary>Makes room for a batch.</summary>
    public void EnsureRoom(int rows, int chunkRows, int logitRows)
    {
        Grow(ref _residual, (long)rows * HiddenStride);
        Grow(ref _selected, (long)logitRows * HiddenStride);
        int leftRows = Math.Max(chunkRows, Math.Min(logitRows, MaxLogitRows));
        Grow(ref _left, (long)leftRows * _leftWidth);
        Grow(ref _queryKeyValue, (long)chunkRows * QueryKeyValueStride);
        Grow(ref _attention, (long)chunkRows * AttentionStride);
        Grow(ref _gateUp, (long)chunkRows * GateUpStride);
        Grow(ref _logits, (long)Math.Min(logitRows, MaxLogitRows) * LogitStride);
    }

    public void Dispose()
    {
        foreach (NativeBuffer buffer in (NativeBuffer[])[.. _attentionScratch, .. _gemmScratch, .. _rowScratch, .. _ownLeft])
        {
            buffer.Dispose();
        }

        _residual?.Dispose();
        _selected?.Dispose();
        _left?.Dispose();
        _queryKeyValue?.Dispose();
        _attention?.Dispose();
        _gateUp?.Dispose();
        _logits?.Dispose();
        _attentionParts?.Dispose();
    }

    // Rows that lie a multiple of 4 KiB apart would share a few sets of the first-level cache.
    private static int Stride(int width) => width % 1024 == 0 ? width + Panel.Width : width;

    private static NativeBuffer[] PerThread(int threads, long bytes)
    {
        var buffers = new NativeBuffer[threads];
        for (int i = 0; i < threads; i++)
        {
            buffers[i] = new NativeBuffer(bytes);
        }

        return buffers;
    }

    private static void Grow(ref NativeBuffer? buffer, long floats)
    {
        long bytes = floats * sizeof(float);
        if (buffer is null || buffer.Bytes < bytes)
        {
            long larger = Math.Max(bytes, buffer is null ? 0 : buffer.Bytes + (buffer.Bytes / 2));
            buffer?.Dispose();
            buffer = new NativeBuffer(larger);
        }
    }
}
