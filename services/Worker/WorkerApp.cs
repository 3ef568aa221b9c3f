using System.Globalization;
using LlmCluster.Cluster;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.Worker.Hosting;
using LlmCluster.Worker.Membership;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker;

/// <summary>
/// A running worker. Disposing it ends it: it tells the cluster, lets running requests finish within
/// <see cref="WorkerOptions.ShutdownTimeout"/>, and fails the rest.
/// </summary>
public sealed class WorkerApp : IAsyncDisposable
{
    private static readonly TimeSpan IdlePoll = TimeSpan.FromMilliseconds(20);

    // A gateway may place a request just before it hears that the worker is ending.
    private static readonly TimeSpan IdleFor = TimeSpan.FromMilliseconds(200);

    // For requests to write their last words once their sequences have ended.
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly WebApplication _app;
    private readonly CpuModelRunner _runner;
    private readonly WorkerModel? _ownModel;
    private readonly WorkerOptions _options;
    private readonly WorkerStatusSource _status;
    private ClusterMembership? _membership;
    private BlockPublisher? _publisher;
    private int _disposed;

    private WorkerApp(WebApplication app, CpuModelRunner runner, WorkerModel? ownModel, WorkerOptions options, WorkerInfo info)
    {
        _app = app;
        _runner = runner;
        _ownModel = ownModel;
        _options = options;
        _status = app.Services.GetRequiredService<WorkerStatusSource>();
        Info = info;
    }

    /// <summary>What the worker tells the cluster of itself, with the ports that it really has.</summary>
    public WorkerInfo Info { get; private set; }

    /// <summary>The engine.</summary>
    public IInferenceEngine Engine => _app.Services.GetRequiredService<IInferenceEngine>();

    /// <summary>The worker's parts.</summary>
    internal IServiceProvider Services => _app.Services;

    /// <summary>Completes when the worker has joined the cluster; is cancelled when it ends before.</summary>
    public Task Joined => _membership?.Joined ?? throw new InvalidOperationException("The worker has not started.");

    /// <summary>Starts a worker: loads the model, listens, and joins the cluster in the background.</summary>
    /// <param name="options">How it runs.</param>
    /// <param name="state">The cluster that it joins; stays the caller's to dispose of.</param>
    /// <param name="model">A model that is loaded already, which stays the caller's; by default the worker loads its own.</param>
    /// <param name="logging">Where it logs; by default to the console.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="WorkerOptionsException">An option is wrong; the message names its key.</exception>
    /// <exception cref="CheckpointException">The model's files are missing or wrong.</exception>
    /// <exception cref="IOException">A port is taken, or the folder for KV blocks can't be used.</exception>
    public static async Task<WorkerApp> StartAsync(
        WorkerOptions options,
        IClusterState state,
        WorkerModel? model = null,
        Action<ILoggingBuilder>? logging = null,
        CancellationToken cancellationToken = default)
    {
        options.Validate();
        WorkerModel? ownModel = model is null ? WorkerModel.Load(options.ModelPath, options.Cpu) : null;
        WebApplication? app = null;
        WorkerApp? worker = null;
        CpuModelRunner? runner = null;
        try
        {
            model ??= ownModel!;
            KvLayout layout = model.Cpu.KvLayout;
            runner = new CpuModelRunner(model.Cpu, options.BlocksFor(layout), options.Cpu);
            string id = options.Id.Length > 0 ? options.Id : CreateId(options.Role);
            var listener = new WorkerListener(options);
            app = Build(options, id, runner, model, listener, logging);
            worker = new WorkerApp(app, runner, ownModel, options, CreateInfo(options, id, runner));
            await app.StartAsync(cancellationToken).ConfigureAwait(false);
            worker.Info = worker.Info with { HttpEndpoint = listener.HttpEndpoint, GrpcEndpoint = listener.GrpcEndpoint };
            worker._membership = new ClusterMembership(
                state, worker.Info, worker._status, options.Lease, options.LoadInterval, app.Services.GetRequiredService<ILogger<ClusterMembership>>());
            worker._publisher = new BlockPublisher(
                state.Directory,
                id,
                app.Services.GetRequiredService<HeldBlocks>(),
                options.PublishInterval,
                worker.Joined,
                app.Services.GetRequiredService<ILogger<BlockPublisher>>());
            return worker;
        }
        catch
        {
            if (worker is not null)
            {
                await worker.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                if (app is not null)
                {
                    await app.DisposeAsync().ConfigureAwait(false);
                }

                runner?.Dispose();
                ownModel?.Dispose();
            }

            throw;
        }
    }

    /// <summary>Ends the worker.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        long start = TimeProvider.System.GetTimestamp();
        _status.SetDraining();
        if (_membership is not null)
        {
            await FinishRequestsAsync().ConfigureAwait(false);
            if (_publisher is not null)
            {
                await _publisher.DisposeAsync().ConfigureAwait(false);
            }

            await _membership.DisposeAsync().ConfigureAwait(false);
        }

        // What is still under way fails now, with an error that its caller is told.
        await _app.Services.GetRequiredService<KvReceiver>().DisposeAsync().ConfigureAwait(false);
        await _app.Services.GetRequiredService<KvFetcher>().DisposeAsync().ConfigureAwait(false);
        await _app.Services.GetRequiredService<KvFetchServer>().DisposeAsync().ConfigureAwait(false);
        TimeSpan left = _options.ShutdownTimeout - TimeProvider.System.GetElapsedTime(start);
        await Engine.StopAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero).ConfigureAwait(false);
        using (var deadline = new CancellationTokenSource(StopTimeout))
        {
            await _app.StopAsync(deadline.Token).ConfigureAwait(false);
        }

        await _app.DisposeAsync().ConfigureAwait(false);
        _runner.Dispose();
        _ownModel?.Dispose();
    }

    private static WebApplication Build(
        WorkerOptions options, string id, CpuModelRunner runner, WorkerModel model, WorkerListener listener, Action<ILoggingBuilder>? logging)
    {
        // An empty builder: no configuration from the working folder or the environment that nobody asked for.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "llmcluster-worker" });
        builder.Logging.SetMinimumLevel(LogLevel.Information).AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        (logging ?? (l => l.AddSimpleConsole(c => (c.IncludeScopes, c.SingleLine, c.TimestampFormat) = (true, true, "HH:mm:ss.fff "))))(builder.Logging);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(listener.Configure);
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = StopTimeout);
        builder.Services.AddWorker(options, id, runner, () => model.Tokenizer);
        WebApplication app = builder.Build();
        app.UseWorker(options.Role);
        return app;
    }

    private static WorkerInfo CreateInfo(WorkerOptions options, string id, CpuModelRunner runner) => new()
    {
        Id = id,
        Role = options.Role,
        Model = options.ServedModelName,
        ModelFingerprint = runner.Fingerprint,
        LayoutFingerprint = runner.KvStore.Layout.Fingerprint,
        HttpEndpoint = new Uri("http://localhost"),
        GrpcEndpoint = new Uri("http://localhost"),
        TotalBlocks = runner.KvStore.BlockCount,
        BlockSize = runner.KvStore.Layout.BlockSize,
        BlockBytes = runner.KvStore.Layout.BlockBytes,
        ContextLength = runner.Config.MaxPositions,
    };

    private static string CreateId(WorkerRole role) => string.Create(
        CultureInfo.InvariantCulture, $"{role.ToString().ToLowerInvariant()}-{Environment.MachineName.ToLowerInvariant()}-{Random.Shared.Next():x8}");

    private async Task FinishRequestsAsync()
    {
        TimeProvider time = TimeProvider.System;
        TimeSpan limit = _options.ShutdownTimeout;
        long start = time.GetTimestamp();
        await _membership!.DrainAsync(limit < StopTimeout ? limit : StopTimeout).ConfigureAwait(false);
        long busy = time.GetTimestamp();
        while (time.GetElapsedTime(busy) < IdleFor && time.GetElapsedTime(start) < limit)
        {
            await Task.Delay(IdlePoll).ConfigureAwait(false);
            if (!_status.IsIdle)
            {
                busy = time.GetTimestamp();
            }
        }
    }
}
