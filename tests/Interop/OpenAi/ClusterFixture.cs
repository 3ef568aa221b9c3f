using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.OpenAi;

/// <summary>A running cluster of one prefill and one decode worker with a tiny model.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private TinyCluster _cluster = null!;

    /// <summary>Name of the model.</summary>
    public string Model => TinyCluster.Model;

    /// <summary>What OpenAI's clients are given as their base.</summary>
    public Uri Base => new(_cluster.Address, "/v1");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync() => _cluster = await TinyCluster.StartAsync("--prefill", "1", "--decode", "1");

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>Tests that share the cluster.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterFixture>
{
    /// <summary>The collection's name.</summary>
    public const string Name = "OpenAI clients";
}
