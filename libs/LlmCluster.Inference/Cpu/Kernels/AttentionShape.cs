using LlmCluster.Inference.KvCache;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>What all attention tasks of one layer have in common.</summary>
internal unsafe struct AttentionShape
{
    /// <summary>Positions that are looked at together; a power of two.</summary>
    public const int TileKeys = Panel.Width;

    // Rows of queries under which one tile of keys is transposed and widened once.
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

    /// <summary>Bytes from one token of a block to the next.</summary>
    public readonly nint TokenBytes => KvHeads * HeadBytes;

    /// <summary>Bytes of one head of one token.</summary>
    public readonly nint HeadBytes => KvLayout.HeadBytesOf(Dtype, HeadDim);

    /// <summary>
    /// Finds the keys of consecutive positions of a sequence.
    /// </summary>
    /// <param name="task">The sequence and the KV head.</param>
    /// <param name="first">First position.</param>
    /// <param name="end">Position after the last.</param>
    /// <param name="keys">Receives the addresses.</param>
    public readonly void FindKeys(in AttentionTask task, int first, int end, uint** keys)
    {
        int block = first / BlockSize;
        int slot = first - (block * BlockSize);
        nint tokenBytes = TokenBytes;
        nint headOffset = task.KvHead * HeadBytes;
        while (first < end)
        {
            byte* key = Pool + (task.BlockTable[block++] * BlockBytes) + (slot * tokenBytes) + headOffset;
            int count = Math.Min(BlockSize - slot, end - first);
            for (int i = 0; i < count; i++)
            {
                *keys++ = (uint*)key;
                key += tokenBytes;
            }

            first += count;
            slot = 0;
        }
    }

    /// <summary>Bytes from a key to the value at the same position.</summary>
    public readonly nint ValueOffset => BlockSize * TokenBytes;
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
