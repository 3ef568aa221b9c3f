namespace LlmCluster.Inference.KvCache;

/// <summary>
/// References on blocks of a pool, held by one owner and given back by disposing. Handing the lease on hands the
/// references on: a sequence, a transfer and the cache are the owners there are.
/// </summary>
public sealed class BlockLease : IDisposable
{
    private readonly BlockPool _pool;
    private int[]? _blocks;

    internal BlockLease(BlockPool pool, int[] blocks)
    {
        _pool = pool;
        _blocks = blocks;
    }

    /// <summary>The blocks, in sequence order.</summary>
    /// <exception cref="ObjectDisposedException">The references were given back.</exception>
    public ReadOnlySpan<int> Blocks => _blocks ?? throw new ObjectDisposedException(nameof(BlockLease));

    /// <summary>Takes the references out of the lease, for an owner that manages them itself.</summary>
    internal int[] Detach() => Interlocked.Exchange(ref _blocks, null) ?? throw new ObjectDisposedException(nameof(BlockLease));

    /// <summary>Gives the references back. Does nothing the second time.</summary>
    public void Dispose()
    {
        int[]? blocks = Interlocked.Exchange(ref _blocks, null);
        if (blocks is not null)
        {
            _pool.Release(blocks);
        }
    }
}
