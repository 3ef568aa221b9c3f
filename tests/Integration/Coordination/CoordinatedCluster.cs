using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Coordination;

/// <summary>A cluster whose two gateways and four workers are processes of their own and share nothing but a Redis.</summary>
internal sealed class CoordinatedCluster : IAsyncDisposable
{
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    private readonly List<LlmcProcess> _processes = [];
    private readonly List<HttpClient> _clients = [];

    /// <summary>The Redis.</summary>
    public RedisServer Redis { get; private set; } = null!;

    /// <summary>A client of each gateway.</summary>
    public IReadOnlyList<HttpClient> Gateways => _clients;

    /// <summary>Name of the model.</summary>
    public string Model { get; private set; } = "";

    /// <summary>What all processes have logged.</summary>
    public string Log => string.Join('\n', _processes.Select(process => process.Log));

    /// <summary>Starts two prefill and two decode workers and two gateways.</summary>
    /// <param name="model">The model's folder; the demo model by default.</param>
    /// <param name="gatewayArguments">More arguments of both gateways.</param>
    /// <param name="upArguments">More arguments of <c>llmc up</c>.</param>
    public static async Task<CoordinatedCluster> StartAsync(string? model = null, string[]? gatewayArguments = null, params string[] upArguments)
    {
        var cluster = new CoordinatedCluster();
        try
        {
            cluster.Redis = await RedisServer.StartAsync();
            string folder = model ?? RepositoryRoot.Combine("models", "demo");
            cluster.Model = model is null ? "pebble" : "m";
            string[] shared = ["--model", folder, "--served-model-name", cluster.Model, "--redis", cluster.Redis.Url, "--port", "0", .. gatewayArguments ?? []];
            await cluster.AddAsync(["up", "--prefill", "2", "--decode", "2", .. shared, .. upArguments]);
            await cluster.AddAsync(["gateway", .. shared]);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Posts a request to one of the gateways.</summary>
    public async Task<(System.Net.HttpStatusCode Status, JsonNode Body, HttpResponseMessage Response)> PostAsync(
        int gateway, string path, JsonObject request, CancellationToken cancellationToken, string? key = null)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(request) };
        message.Headers.Add("x-llmc-debug", "placement");
        if (key is not null)
        {
            message.Headers.Authorization = new("Bearer", key);
        }

        HttpResponseMessage response = await _clients[gateway].SendAsync(message, cancellationToken);
        string body = await response.Content.ReadAsStringAsync(cancellationToken);
        return (response.StatusCode, JsonNode.Parse(body)!, response);
    }

    /// <summary>Posts a request that must succeed.</summary>
    public async Task<JsonNode> AskAsync(int gateway, string path, JsonObject request, CancellationToken cancellationToken)
    {
        (System.Net.HttpStatusCode status, JsonNode body, HttpResponseMessage response) = await PostAsync(gateway, path, request, cancellationToken);
        response.Dispose();
        Assert.True(status == System.Net.HttpStatusCode.OK, $"{(int)status}: {body}");
        return body;
    }

    /// <summary>Waits until no worker holds a block for anyone.</summary>
    public Task WaitForIdleAsync() => Eventually.TrueAsync(async () =>
    {
        JsonNode workers = JsonNode.Parse(await _clients[0].GetStringAsync("/internal/workers"))!["workers"]!;
        return workers.AsArray().Count == 4 && workers.AsArray().All(w => w!["live"]?["kv_blocks"]!["referenced"]!.GetValue<int>() == 0);
    });

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        foreach (LlmcProcess process in _processes)
        {
            await process.DisposeAsync();
        }

        if (Redis is not null)
        {
            await Redis.DisposeAsync();
        }
    }

    private async Task AddAsync(string[] arguments)
    {
        (LlmcProcess process, Uri address) = await LlmcProcess.StartReadyAsync(arguments);
        _processes.Add(process);
        _clients.Add(new HttpClient { BaseAddress = address, Timeout = Deadline });
    }
}
