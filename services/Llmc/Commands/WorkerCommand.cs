using System.CommandLine;
using LlmCluster.Cluster.Redis;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Worker;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc worker</c>: one worker, as in a pod of its own.</summary>
internal static class WorkerCommand
{
    public static Command Create()
    {
        var settings = new ServiceSettings();
        settings.AddChoice("--role", "Worker:Role", "What the worker does. [default: mixed]", "prefill", "decode", "mixed");
        settings.Add<string?>("--model", "Worker:ModelPath", "Folder of a checkpoint in Hugging Face layout.", "DIR");
        settings.Add<string?>("--served-model-name", "Worker:ModelName", "Name that clients ask for. [default: the folder's name]", "NAME");
        settings.Add<string?>("--id", "Worker:Id", "Unique name of the worker. [default: role, machine and a random number]", "ID");
        settings.Add<string?>("--host", "Worker:Host", "Address to listen on; * is all. [default: 127.0.0.1]", "ADDRESS");
        settings.Add<string?>(
            "--advertised-host", "Worker:AdvertisedHost", "Name or address by which others reach the worker. [default: --host, or the machine's name for *]", "HOST");
        Option<int?> http = settings.Add<int?>("--http-port", "Worker:HttpPort", "Port for HTTP; 0 takes a free one. [default: 0]", "PORT");
        Option<int?> grpc = settings.Add<int?>("--grpc-port", "Worker:GrpcPort", "Port for gRPC; 0 takes a free one. [default: 0]", "PORT");
        Option<int?> threads = settings.Add<int?>("--threads", WorkerSettings.ThreadsKey, "Compute threads. [default: one for each processor of --affinity, or else for each that the process may use]", "N");
        settings.Add<string?>("--affinity", WorkerSettings.AffinityKey, "Processors, such as 0-3,8, that the threads are tied to, one each. [default: the system chooses]", "LIST");
        Option<string> device = DeviceChoice.CreateOption();
        ServiceOptions.RequirePort(http);
        ServiceOptions.RequirePort(grpc);
        ServiceOptions.RequireThreads(threads);
        WorkerSettings.AddMemory(settings);
        settings.AddShared("information");

        var command = new Command("worker", "Runs one worker, which finds the others through Redis.");
        settings.AddTo(command);
        command.Options.Add(device);
        command.SetAction(CommandRunner.Guard("worker", (result, stopping) =>
        {
            DeviceChoice.Require(result.GetValue(device)!);
            IConfiguration configuration = settings.Build(result);
            if (string.IsNullOrEmpty(configuration["Worker:ModelPath"]))
            {
                throw new CommandException("name the model's folder with --model DIR (or LLMC__Worker__ModelPath).");
            }

            return RunAsync(WorkerOptions.Bind(configuration), configuration, stopping);
        }));
        return command;
    }

    private static async Task<int> RunAsync(WorkerOptions options, IConfiguration configuration, CancellationToken stopping)
    {
        RedisOptions redis = ServiceOptions.RequireRedis(configuration);
        ListenAddress.EnsureFree(options.Host, options.HttpPort, "--http-port");
        ListenAddress.EnsureFree(options.Host, options.GrpcPort, "--grpc-port");

        using ILoggerFactory loggers = ServiceLogging.CreateFactory(configuration);
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(
            redis, loggers.CreateLogger<RedisClusterState>(), stopping);
        await using WorkerApp worker = await WorkerApp.StartAsync(
            options, state, logging: ServiceLogging.Configure(configuration), cancellationToken: stopping);
        try
        {
            await worker.Joined.WaitAsync(stopping);
            Console.WriteLine($"Ready: {ListenAddress.Text(worker.Info.HttpEndpoint)}");
            await Task.Delay(Timeout.Infinite, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to end: disposing lets requests finish.
        }

        return 0;
    }
}
