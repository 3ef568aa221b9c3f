using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Gateway;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Worker;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.CommandLine.Up;

/// <summary>
/// The cluster in this process: the weights are loaded once and the state is in memory, but requests and K/V take the
/// same way as between machines, over HTTP and gRPC.
/// </summary>
internal sealed class InProcessCluster(UpOptions options, IConfiguration configuration)
{
    private readonly List<WorkerApp> _workers = [];
    private GatewayApp? _gateway;

    /// <summary>Starts all, says when they serve, and ends them when asked to.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(CancellationToken stopping)
    {
        WorkerOptions worker = BindWorker();
        GatewayOptions gateway = BindGateway();
        await using var state = new InMemoryClusterState();
        using WorkerModel model = await Task.Run(() => WorkerModel.Load(options.ModelPath, worker.Cpu with { Threads = UsableProcessors.Count, Affinity = null }), stopping);
        try
        {
            await StartAsync(worker, gateway, state, model, stopping);
            foreach (string line in ReadyMessage.Lines(_gateway!.Url, options, "in one process"))
            {
                Console.WriteLine(line);
            }

            await Task.Delay(Timeout.Infinite, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to end.
        }
        finally
        {
            await StopAsync();
        }

        return 0;
    }

    private WorkerOptions BindWorker()
    {
        configuration["Worker:ModelPath"] = options.ModelPath;
        configuration["Worker:ModelName"] = options.ModelName;
        configuration[WorkerSettings.ThreadsKey] = options.Threads.PerWorker.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return WorkerOptions.Bind(configuration) with { Host = "127.0.0.1", AdvertisedHost = null, HttpPort = 0, GrpcPort = 0 };
    }

    private GatewayOptions BindGateway()
    {
        configuration["Gateway:ModelPath"] = options.ModelPath;
        configuration["Gateway:ModelName"] = options.ModelName;
        configuration["Gateway:Url"] = ListenAddress.Url(options.Host, options.Port);
        return GatewayOptions.Bind(configuration);
    }

    private async Task StartAsync(
        WorkerOptions worker, GatewayOptions gateway, IClusterState state, WorkerModel model, CancellationToken stopping)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        deadline.CancelAfter(options.StartTimeout);
        try
        {
            foreach ((int index, (WorkerRole role, string name)) in options.Workers.All().Index())
            {
                WorkerOptions own = worker with { Role = role, Id = name, Cpu = worker.Cpu with { Affinity = options.Threads.Affinity(index) } };
                _workers.Add(await WorkerApp.StartAsync(
                    own, state, model, ServiceLogging.Configure(configuration), deadline.Token));
            }

            _gateway = await GatewayApp.StartAsync(gateway, state, ServiceLogging.Configure(configuration), deadline.Token);
            await Task.WhenAll(_workers.Select(started => started.Joined)).WaitAsync(deadline.Token);
            await GatewayReadiness.WaitAsync(_gateway.Url, deadline.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw new CommandException($"the cluster did not get ready within {options.StartTimeout.TotalSeconds:0} s (--start-timeout).");
        }
    }

    /// <summary>The gateway ends first: the workers still answer its last requests.</summary>
    private async Task StopAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }

        await Task.WhenAll(_workers.Select(worker => worker.DisposeAsync().AsTask()));
    }
}
