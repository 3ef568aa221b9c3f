using System.Runtime.CompilerServices;
using System.Threading.Channels;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Reservations;

namespace LlmCluster.Tests.Unit.Cluster;

/// <summary>A state that a test sets, breaks and hints at by hand.</summary>
internal sealed class FakeClusterState : IClusterState
{
    private readonly Channel<long> _hints = Channel.CreateUnbounded<long>();
    private int _reads;

    public IReadOnlyList<WorkerSnapshot> Workers { get; set; } = [];

    public Exception? Failure { get; set; }

    public int Reads => Volatile.Read(ref _reads);

    public IPrefixDirectory Directory => throw new NotSupportedException();

    public IReservations Reservations => throw new NotSupportedException();

    public IAccounts Accounts => throw new NotSupportedException();

    public void Hint() => _hints.Writer.TryWrite(1);

    public ValueTask<IReadOnlyList<WorkerSnapshot>> GetWorkersAsync(CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _reads);
        return Failure is null ? ValueTask.FromResult(Workers) : ValueTask.FromException<IReadOnlyList<WorkerSnapshot>>(Failure);
    }

    public async IAsyncEnumerable<long> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (long hint in _hints.Reader.ReadAllAsync(cancellationToken))
        {
            yield return hint;
        }
    }

    public ValueTask HeartbeatAsync(WorkerSnapshot worker, TimeSpan lease, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public ValueTask LeaveAsync(string workerId, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask<long> NextAsync(string counter, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
