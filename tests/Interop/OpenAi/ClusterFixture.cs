using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.OpenAi;

/// <summary>A running cluster of one prefill and one decode worker with a tiny model.</summary>
public sealed class ClusterFixture : IAsyncLifetime
{
    private readonly TempDirectory _directory = new("openai");
    private LlmcProcess? _process;

    /// <summary>Name of the model.</summary>
    public string Model => "tiny";

    /// <summary>Where the gateway listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>What OpenAI's clients are given as their base.</summary>
    public Uri Base => new(Address, "/v1");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        string model = _directory.Combine(Model);
        RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, seed: 3, model);
        (_process, Address) = await LlmcProcess.StartReadyAsync("up", "--model", model, "--port", "0", "--prefill", "1", "--decode", "1");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _directory.Dispose();
    }
}

/// <summary>Tests that share the cluster.</summary>
[CollectionDefinition(Name)]
public sealed class ClusterCollection : ICollectionFixture<ClusterFixture>
{
    /// <summary>The collection's name.</summary>
    public const string Name = "OpenAI clients";
}
