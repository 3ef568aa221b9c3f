namespace LlmCluster.KvTransfer.Sending;

/// <summary>Consecutive blocks of a sequence in one layer.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="FirstBlock">Index within the sequence of the first block.</param>
/// <param name="Count">Number of blocks.</param>
internal readonly record struct BlockRun(int Layer, int FirstBlock, int Count);

/// <summary>
/// Turns what is ready into frames: leaves out what the receiver has, joins neighbours and splits at the frame
/// limit. What is ready at the same time goes out layer by layer. For one thread.
/// </summary>
/// <param name="blockBytes">Bytes of one (layer, block).</param>
/// <param name="maxFrameBytes">Largest payload of a frame, unless a single block is larger.</param>
internal sealed class FramePlanner(int blockBytes, int maxFrameBytes)
{
    private readonly int _maxBlocks = Math.Max(1, maxFrameBytes / blockBytes);
    private readonly List<BlockRun> _ready = [];

    /// <summary>Leading blocks that the receiver has.</summary>
    public int SkippedBlocks { get; set; }

    /// <summary>Adds blocks that are ready to be sent.</summary>
    public void Add(BlockRun run)
    {
        int skip = Math.Clamp(SkippedBlocks - run.FirstBlock, 0, run.Count);
        if (run.Count > skip)
        {
            _ready.Add(new BlockRun(run.Layer, run.FirstBlock + skip, run.Count - skip));
        }
    }

    /// <summary>Moves the frames for everything ready to <paramref name="frames"/>.</summary>
    public void Take(List<BlockRun> frames)
    {
        _ready.Sort(static (a, b) => a.Layer != b.Layer ? a.Layer.CompareTo(b.Layer) : a.FirstBlock.CompareTo(b.FirstBlock));
        for (int i = 0; i < _ready.Count;)
        {
            BlockRun run = _ready[i++];
            while (i < _ready.Count && _ready[i].Layer == run.Layer && _ready[i].FirstBlock == run.FirstBlock + run.Count)
            {
                run = run with { Count = run.Count + _ready[i++].Count };
            }

            for (int done = 0; done < run.Count; done += _maxBlocks)
            {
                frames.Add(new BlockRun(run.Layer, run.FirstBlock + done, Math.Min(_maxBlocks, run.Count - done)));
            }
        }

        _ready.Clear();
    }
}
