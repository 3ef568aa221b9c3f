using System.CommandLine;
using LlmCluster.Cluster.Redis;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Gateway;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc gateway</c>: one gateway, as in a pod of its own.</summary>
internal static class GatewayCommand
{
    private const string DefaultHost = "127.0.0.1";
    private const int DefaultPort = 8080;

    public static Command Create()
    {
        var settings = new ServiceSettings();
        settings.Add<string?>("--model", "Gateway:ModelPath", "Folder of the model's tokenizer and config files; its weights are not needed.", "DIR");
        settings.Add<string?>("--served-model-name", "Gateway:ModelName", "Name that clients ask for. [default: the folder's name]", "NAME");
        GatewaySettings.AddPlacement(settings);
        GatewaySettings.AddKeys(settings);
        var host = new Option<string?>("--host") { Description = $"Address to listen on; * is all. [default: {DefaultHost}]", HelpName = "ADDRESS" };
        var port = new Option<int?>("--port") { Description = $"Port to listen on; 0 takes a free one. [default: {DefaultPort}]", HelpName = "PORT" };
        ServiceOptions.RequirePort(port);
        settings.AddShared("information");

        var command = new Command("gateway", "Runs one gateway: OpenAI's API over HTTP, in front of the workers that Redis knows.") { host, port };
        settings.AddTo(command);
        command.SetAction(CommandRunner.Guard("gateway", (result, stopping) =>
        {
            IConfiguration configuration = settings.Build(result);
            GatewayOptions options = Bind(configuration, result.GetValue(host), result.GetValue(port));
            return RunAsync(options, configuration, stopping);
        }));
        return command;
    }

    private static GatewayOptions Bind(IConfiguration configuration, string? host, int? port)
    {
        if (host is not null || port is not null)
        {
            configuration["Gateway:Url"] = ListenAddress.Url(host ?? DefaultHost, port ?? DefaultPort);
        }

        if (string.IsNullOrEmpty(configuration["Gateway:ModelPath"]))
        {
            throw new CommandException("name the model's folder with --model DIR (or LLMC__Gateway__ModelPath).");
        }

        return GatewayOptions.Bind(configuration);
    }

    private static async Task<int> RunAsync(GatewayOptions options, IConfiguration configuration, CancellationToken stopping)
    {
        RedisOptions redis = ServiceOptions.RequireRedis(configuration);
        BindingAddress url = BindingAddress.Parse(options.Url);
        ListenAddress.EnsureFree(url.Host, url.Port, "--port");

        using ILoggerFactory loggers = ServiceLogging.CreateFactory(configuration);
        await using RedisClusterState state = await RedisClusterState.ConnectAsync(
            redis, loggers.CreateLogger<RedisClusterState>(), stopping);
        await using GatewayApp gateway = await GatewayApp.StartAsync(options, state, ServiceLogging.Configure(configuration), stopping);
        Console.WriteLine($"Listening: {ListenAddress.Text(gateway.Url)}");
        try
        {
            await GatewayReadiness.WaitAsync(gateway.Url, stopping);
            Console.WriteLine($"Ready: {ListenAddress.Text(gateway.Url)}");
            await Task.Delay(Timeout.Infinite, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Asked to end: disposing lets requests finish.
        }

        return 0;
    }
}
