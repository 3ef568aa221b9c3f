using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>
/// Copies a prompt's blocks into another engine's pool as they become final, and demands that the engine keeps to the
/// order of calls and reports each (layer, block) once.
/// </summary>
internal sealed class TransferSink(IKvBlockStore source, IKvBlockStore target, BlockLease targetBlocks, int targetCached) : IPrefillSink
{
    private readonly TaskCompletionSource<GeneratedToken> _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<(int Layer, int Block)> _written = [];
    private BlockLease? _blocks;
    private int _ends;

    public Task<GeneratedToken> Completed => _completed.Task;

    public int CachedBlocks { get; private set; }

    public int Ends => _ends;

    public void OnStarted(BlockLease blocks, int cachedBlocks)
    {
        Assert.Null(_blocks);
        Assert.Equal(0, _ends);
        Assert.Equal(targetBlocks.Blocks.Length, blocks.Blocks.Length);
        _blocks = blocks;
        CachedBlocks = cachedBlocks;
        for (int layer = 0; layer < source.Layout.Layers; layer++)
        {
            Copy(layer, 0, cachedBlocks);
        }
    }

    public void OnBlocksWritten(int layer, int firstBlock, int count)
    {
        Assert.Equal(0, _ends);
        Copy(layer, firstBlock, count);
    }

    public void OnCompleted(GeneratedToken firstToken)
    {
        Assert.Equal(1, Interlocked.Increment(ref _ends));
        int expected = source.Layout.Layers * _blocks!.Blocks.Length;
        _blocks.Dispose();
        if (_written.Count == expected)
        {
            _completed.SetResult(firstToken);
        }
        else
        {
            _completed.SetException(new InvalidOperationException($"{_written.Count} of {expected} runs were reported."));
        }
    }

    public void OnFailed(Exception error)
    {
        Assert.Equal(1, Interlocked.Increment(ref _ends));
        _blocks?.Dispose();
        _completed.SetException(error);
    }

    private void Copy(int layer, int firstBlock, int count)
    {
        Span<byte> bytes = stackalloc byte[source.Layout.LayerBlockBytes];
        for (int block = firstBlock; block < firstBlock + count; block++)
        {
            if (!_written.Add((layer, block)))
            {
                throw new InvalidOperationException($"Layer {layer} of block {block} was reported twice.");
            }

            if (block >= targetCached)
            {
                source.Read(layer, _blocks!.Blocks[block], 0, bytes);
                target.Write(layer, targetBlocks.Blocks[block], 0, bytes);
            }
        }
    }
}
