using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Cluster.Redis;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>Tests that every <see cref="IClusterState"/> must pass, through two connections to one new, empty cluster.</summary>
public abstract class StateContract : IAsyncLifetime
{
    protected static readonly TimeSpan Long = TimeSpan.FromMinutes(1);
    protected static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    /// <summary>Begins the keys of this test's cluster.</summary>
    protected string KeyPrefix { get; } = Guid.NewGuid().ToString("N");

    protected IClusterState First { get; private set; } = null!;

    protected IClusterState Second { get; private set; } = null!;

    public virtual async ValueTask InitializeAsync()
    {
        (First, Second) = await ConnectAsync();
    }

    public virtual async ValueTask DisposeAsync()
    {
        await First.DisposeAsync();
        await Second.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Two connections to a new, empty cluster.</summary>
    protected abstract ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync();

    protected static ValueTask<(IClusterState First, IClusterState Second)> InMemory()
    {
        var state = new InMemoryClusterState();
        return ValueTask.FromResult<(IClusterState, IClusterState)>((state, state));
    }

    protected async ValueTask<(IClusterState First, IClusterState Second)> ConnectAsync(RedisServer server)
    {
        var options = new RedisOptions { Url = server.Url, KeyPrefix = KeyPrefix };
        return (await RedisClusterState.ConnectAsync(options), await RedisClusterState.ConnectAsync(options));
    }

    /// <summary>Ends a worker's lease as a crash would.</summary>
    protected async Task ExpireAsync(string id)
    {
        await First.HeartbeatAsync(SampleWorkers.Snapshot(id), TimeSpan.FromMilliseconds(1));
        await Eventually.TrueAsync(async () => !(await Second.GetWorkersAsync()).Ids().Contains(id));
    }
}
