using System.Threading.Channels;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.KvTransfer.Sending;

/// <summary>
/// Carries the engine's reports on a prompt to the task that sends it. The engine's thread never waits here. The
/// blocks stay referenced until the engine has ended with the prompt and the sender has read all it needs, as the
/// engine may still be writing when the sender gives up.
/// </summary>
internal sealed class PrefillProgress(int layers) : IPrefillSink
{
    private readonly Channel<BlockRun> _ready = Channel.CreateUnbounded<BlockRun>(new UnboundedChannelOptions
    {
        SingleReader = true,
        SingleWriter = true,
    });

    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BlockLease? _lease;
    private int _owners = 2;

    /// <summary>Completes when the prompt was admitted; fails when it was not.</summary>
    public Task Started => _started.Task;

    /// <summary>Pool blocks of the prompt, once started.</summary>
    public int[] Blocks { get; private set; } = [];

    /// <summary>Leading blocks that came from this worker's prefix cache.</summary>
    public int CachedBlocks { get; private set; }

    /// <summary>The first token, once <see cref="Ready"/> has completed.</summary>
    public GeneratedToken FirstToken { get; private set; }

    /// <summary>Blocks as they become ready; completes with the prompt, or fails with it.</summary>
    public ChannelReader<BlockRun> Ready => _ready.Reader;

    /// <inheritdoc/>
    public void OnStarted(BlockLease blocks, int cachedBlocks)
    {
        _lease = blocks;
        Blocks = blocks.Blocks.ToArray();
        CachedBlocks = cachedBlocks;
        for (int layer = 0; cachedBlocks > 0 && layer < layers; layer++)
        {
            _ready.Writer.TryWrite(new BlockRun(layer, 0, cachedBlocks));
        }

        _started.TrySetResult();
    }

    /// <inheritdoc/>
    public void OnBlocksWritten(int layer, int firstBlock, int count) => _ready.Writer.TryWrite(new BlockRun(layer, firstBlock, count));

    /// <inheritdoc/>
    public void OnCompleted(GeneratedToken firstToken)
    {
        FirstToken = firstToken;
        _ready.Writer.TryComplete();
        Release();
    }

    /// <inheritdoc/>
    public void OnFailed(Exception error)
    {
        _started.TrySetException(error);

        // Nobody may be left to look at it.
        _ = _started.Task.Exception;
        _ready.Writer.TryComplete(error);
        _ = _ready.Reader.Completion.Exception;
        Release();
    }

    /// <summary>Gives up the caller's share of the blocks: the sender has read all it needs.</summary>
    public void Release()
    {
        if (Interlocked.Decrement(ref _owners) == 0)
        {
            _lease?.Dispose();
        }
    }
}
