using LlmCluster.Cluster;
using LlmCluster.Testing;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>A watch that a test reads step by step.</summary>
internal sealed class Hints(IClusterState state) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<long> _watch = state.WatchAsync().GetAsyncEnumerator();

    /// <summary>Waits for the next hint.</summary>
    public async Task NextAsync()
    {
        if (!await _watch.MoveNextAsync().AsTask().WaitAsync(Eventually.DefaultDeadline))
        {
            throw new InvalidOperationException("The watch ended.");
        }
    }

    /// <summary>Returns when the condition holds right after a hint; asks at no other time.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition)
    {
        do
        {
            await NextAsync();
        }
        while (!await condition());
    }

    public ValueTask DisposeAsync() => _watch.DisposeAsync();
}
