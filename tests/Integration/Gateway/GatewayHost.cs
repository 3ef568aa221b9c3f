using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Gateway;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Tests.Integration.Gateway;

/// <summary>A gateway with scripted workers.</summary>
internal sealed class GatewayHost : IAsyncDisposable
{
    public const string ModelName = "tiny";
    public const int ContextLength = 128;

    private readonly TempDirectory _directory = new("gateway");
    private readonly InMemoryClusterState _state = new();
    private readonly List<ScriptedWorker> _workers = [];
    private readonly List<string> _log = [];
    private readonly List<GatewayApp> _others = [];
    private GatewayApp? _gateway;
    private GatewayOptions _options = null!;

    public HttpClient Client { get; private set; } = null!;

    public string[] Log
    {
        get
        {
            lock (_log)
            {
                return [.. _log];
            }
        }
    }

    public static async Task<GatewayHost> StartAsync(Func<GatewayOptions, GatewayOptions>? configure = null)
    {
        var host = new GatewayHost();
        try
        {
            string model = host._directory.Combine(ModelName);
            RandomCheckpoint.Write(ModelPresets.ByName["tiny"].Config(ModelArchitecture.Llama), 1, model);

            // Workers in turn, so that a test knows which one its request goes to.
            GatewayOptions options = new() { Url = "http://127.0.0.1:0", ModelPath = model, Placement = "round-robin" };
            host._options = configure?.Invoke(options) ?? options;
            host._gateway = await GatewayApp.StartAsync(host._options, host._state, logging => logging.AddProvider(new ListProvider(host._log)));
            host.Client = new HttpClient { BaseAddress = host._gateway.Url };
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts another gateway of the same cluster.</summary>
    public async Task<Uri> AddGatewayAsync()
    {
        GatewayApp gateway = await GatewayApp.StartAsync(_options, _state, logging => logging.AddProvider(new ListProvider(_log)));
        _others.Add(gateway);
        return gateway.Url;
    }

    /// <summary>Starts a worker and lets it join.</summary>
    public async Task<ScriptedWorker> AddAsync(string id, WorkerRole role)
    {
        ScriptedWorker worker = await ScriptedWorker.StartAsync(id, role);
        _workers.Add(worker);
        await JoinAsync(worker.Snapshot);
        return worker;
    }

    /// <summary>Lets a worker join, and waits until the gateway knows.</summary>
    public async Task JoinAsync(WorkerSnapshot worker)
    {
        await _state.HeartbeatAsync(worker, TimeSpan.FromMinutes(5));
        await Eventually.TrueAsync(async () => (await Client.GetStringAsync("/internal/workers")).Contains($"\"{worker.Info.Id}\"", StringComparison.Ordinal));
    }

    public Task<HttpResponseMessage> PostAsync(string path, string body, CancellationToken cancellationToken = default, bool stream = false)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        return Client.SendAsync(request, stream ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead, cancellationToken);
    }

    /// <summary>The error of an answer, after checking that it has OpenAI's shape.</summary>
    public static async Task<JsonElement> ErrorAsync(HttpResponseMessage response)
    {
        JsonElement body = await response.Content.ReadFromJsonAsync<JsonElement>();
        JsonElement error = body.GetProperty("error");
        Xunit.Assert.Equal(["message", "type", "param", "code"], error.EnumerateObject().Select(p => p.Name));
        return error;
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }

        foreach (GatewayApp gateway in _others)
        {
            await gateway.DisposeAsync();
        }

        foreach (ScriptedWorker worker in _workers)
        {
            await worker.DisposeAsync();
        }

        await _state.DisposeAsync();
        _directory.Dispose();
    }

    /// <summary>Keeps log lines with their scopes.</summary>
    private sealed class ListProvider(List<string> lines) : ILoggerProvider, ISupportExternalScope
    {
        private IExternalScopeProvider _scopes = new LoggerExternalScopeProvider();

        public ILogger CreateLogger(string categoryName) => new ListLogger(this, categoryName);

        public void SetScopeProvider(IExternalScopeProvider scopeProvider) => _scopes = scopeProvider;

        public void Dispose()
        {
        }

        private sealed class ListLogger(ListProvider provider, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state)
                where TState : notnull => provider._scopes.Push(state);

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                var line = new StringBuilder($"{logLevel} {category}");
                provider._scopes.ForEachScope((scope, text) => text.Append($" {scope}"), line);
                lock (provider.Lines)
                {
                    provider.Lines.Add($"{line}: {formatter(state, exception)} {exception}");
                }
            }
        }

        private List<string> Lines { get; } = lines;
    }
}
