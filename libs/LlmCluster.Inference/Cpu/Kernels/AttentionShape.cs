using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>What all attention tasks of one layer have in common.</summary>
internal unsafe struct AttentionShape
{
    /// <summary>Positions that are looked at together; a power of two.</summary>
    public const int TileKeys = Panel.Width;

    /// <summary>Positions that are summed apart from others; whole tiles.</summary>
    public const int PartKeys = 512;

    // Rows of queries under which one tile of keys is widened once.
    private const int TargetRows = 96;

    public int HeadDim;

    public int KvHeads;

    /// <summary>Query heads for each KV head.</summary>
    public int Group;

    /// <summary>How many positions attention looks back, the current one counted.</summary>
    public int Window;

    public int BlockSize;

    public KvDtype Dtype;

    /// <summary>Block 0 of the layer in the pool.</summary>
    public byte* Pool;

    /// <summary>Bytes from one block of the layer to the next.</summary>
    public nint BlockBytes;

    /// <summary>Floats from one row of queries to the next.</summary>
    public int QueryStride;

    /// <summary>Floats from one row of results to the next.</summary>
    public int ResultStride;

    /// <summary>Tokens whose queries make one task.</summary>
    public readonly int TaskTokens => TaskTokensFor(Group);

    public static int TaskTokensFor(int group) => Math.Max(1, TargetRows / group);

    /// <summary>First and last part that a task looks at; parts begin at multiples of <see cref="PartKeys"/> positions.</summary>
    public readonly (int First, int Last) Parts(in AttentionTask task) =>
        (Math.Max(0, task.Position - Window + 1) / PartKeys, (task.Position + task.Tokens - 1) / PartKeys);

    /// <summary>Bytes of one head's keys, or values, in a block.</summary>
    public readonly nint HeadBlockBytes => (nint)BlockSize * KvLayout.HeadBytesOf(Dtype, HeadDim);

    /// <summary>The keys of a task's head in block <paramref name="index"/> of its sequence; the values follow.</summary>
    public readonly byte* Keys(in AttentionTask task, int index) =>
        Pool + (task.BlockTable[index] * BlockBytes) + (2 * task.KvHead * HeadBlockBytes);
}

/// <summary>Attention of some consecutive tokens of one sequence.</summary>
internal unsafe struct AttentionTask
{
    /// <summary>Queries of the first token, all heads; scaled.</summary>
    public float* Query;

    /// <summary>Where the first token's result goes, all heads.</summary>
    public float* Result;

    public int Tokens;

    /// <summary>Position of the first token.</summary>
    public int Position;

    /// <summary>Blocks of the sequence.</summary>
    public int* BlockTable;

    public int KvHead;
}
