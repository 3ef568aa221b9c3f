namespace LlmCluster.Cluster.Directory;

/// <summary>
/// Which worker holds which KV block. A hint: what it says may be out of date, and workers verify by block hash, so that a wrong entry costs a recompute and never
/// a wrong token. All members may be called from any thread.
/// </summary>
/// <remarks>
/// What a worker published vanishes when its lease ends. Workers evict the end of a prefix before its beginning, so a worker that holds block <c>i</c> of a prompt
/// is taken to hold all before it.
/// </remarks>
public interface IPrefixDirectory
{
    /// <summary>Most blocks of a prompt that are looked up; what comes after them counts as held by nobody.</summary>
    const int MaxLookup = 8192;

    /// <summary>Most changes in one call of <see cref="PublishAsync"/>.</summary>
    const int MaxBatch = 4096;

    /// <summary>Takes note of changes, in order.</summary>
    /// <param name="workerId">A worker whose lease runs.</param>
    /// <param name="changes">At most <see cref="MaxBatch"/>.</param>
    /// <param name="restart">Whether everything that the worker published before is void: the first call of a worker says so.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>
    /// False when nothing was noted, because the directory knows nothing of what the worker published before: its lease ran out in between, or the state was lost. The
    /// worker then publishes all that it holds, the first batch with <paramref name="restart"/>. Also false while the worker is no member.
    /// </returns>
    /// <exception cref="ClusterStateException">The state can't be reached. Whether the changes were noted is unknown: the worker starts anew.</exception>
    ValueTask<bool> PublishAsync(string workerId, ReadOnlyMemory<BlockChange> changes, bool restart, CancellationToken cancellationToken = default);

    /// <summary>Which live workers hold leading blocks of a prompt, and how many; in one round trip.</summary>
    /// <param name="prefix">The first 64 bits of the hashes of the prompt's full blocks, in order.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>The workers that hold the first block at least, ordered by id (ordinally).</returns>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<IReadOnlyList<PrefixMatch>> FindAsync(ReadOnlyMemory<ulong> prefix, CancellationToken cancellationToken = default);

    /// <summary>Entries, and what they take; for operators and benchmarks.</summary>
    /// <exception cref="ClusterStateException">The state can't be reached.</exception>
    ValueTask<DirectoryUse> GetUseAsync(CancellationToken cancellationToken = default);
}

/// <summary>What a directory holds.</summary>
/// <param name="Entries">Pairs of a block and a worker that holds it.</param>
/// <param name="Workers">Workers with entries, dead ones that are not swept yet included.</param>
public readonly record struct DirectoryUse(long Entries, int Workers);
