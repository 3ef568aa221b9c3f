using System.Net.Http.Json;
using System.Text.Json;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Testing;

/// <summary>A whole cluster in a process of its own, with a model of random weights that answers at once.</summary>
public sealed class TinyCluster : IAsyncDisposable
{
    /// <summary>Name of the model.</summary>
    public const string Model = "tiny";

    private readonly TempDirectory _directory = new("cluster");
    private LlmcProcess? _process;

    private TinyCluster()
    {
    }

    /// <summary>Where the gateway listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>A client of the gateway.</summary>
    public HttpClient Client { get; private set; } = null!;

    /// <summary>What the cluster has logged.</summary>
    public string Log => _process?.Log ?? "";

    /// <summary>Starts a cluster and returns when it serves.</summary>
    /// <param name="arguments">More arguments of <c>llmc up</c>: how many workers, say.</param>
    public static async Task<TinyCluster> StartAsync(params string[] arguments)
    {
        var cluster = new TinyCluster();
        try
        {
            string model = cluster._directory.Combine(Model);
            RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, seed: 3, model);
            (cluster._process, cluster.Address) = await LlmcProcess.StartReadyAsync(["up", "--model", model, "--port", "0", .. arguments]);
            cluster.Client = new HttpClient { BaseAddress = cluster.Address };
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The workers as <c>/internal/workers</c> lists them.</summary>
    public async Task<JsonElement[]> GetWorkersAsync()
    {
        JsonElement answer = await Client.GetFromJsonAsync<JsonElement>("/internal/workers");
        return [.. answer.GetProperty("workers").EnumerateArray()];
    }

    /// <summary>Waits until no worker does anything and none of their KV blocks has an owner.</summary>
    /// <exception cref="TimeoutException">It did not come to that within half a minute; the message has the workers' state.</exception>
    public async Task WaitForIdleAsync()
    {
        string last = "";
        await Eventually.TrueAsync(
            async () =>
            {
                JsonElement[] workers = await GetWorkersAsync();
                last = string.Join('\n', workers.Select(w => w.GetRawText()));
                return workers.Length > 0 && workers.All(IsIdle);
            },
            state: () => last);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }

        _directory.Dispose();
    }

    private static bool IsIdle(JsonElement worker)
    {
        JsonElement live = worker.GetProperty("live");
        return live.GetProperty("running").GetInt32() == 0
            && live.GetProperty("waiting").GetInt32() == 0
            && live.GetProperty("kv_blocks").GetProperty("referenced").GetInt32() == 0;
    }
}
