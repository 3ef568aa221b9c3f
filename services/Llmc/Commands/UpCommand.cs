using System.CommandLine;
using LlmCluster.Cluster.Redis;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.CommandLine.Up;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc up</c>: the whole cluster on this machine, in one process or, with Redis, in several.</summary>
internal sealed class UpCommand
{
    private const string DefaultHost = "127.0.0.1";
    private const int DefaultPort = 8080;
    private const int MostWorkers = 64;

    private readonly ServiceSettings _settings = new();
    private readonly Option<string?> _model = new("--model")
    {
        Description = "Folder of a checkpoint in Hugging Face layout. [default: models/demo, or a tiny one with random weights]",
        HelpName = "DIR",
    };

    private readonly Option<string?> _name = new("--served-model-name")
    {
        Description = "Name that clients ask for. [default: the folder's name]",
        HelpName = "NAME",
    };

    private readonly Option<string> _host = new("--host")
    {
        Description = "Address that the gateway listens on; * is all.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => DefaultHost,
    };

    private readonly Option<int?> _port = new("--port")
    {
        Description = "Port that the gateway listens on; 0 takes a free one.",
        HelpName = "PORT",
        DefaultValueFactory = _ => DefaultPort,
    };

    private readonly Option<int?> _prefill = Count("--prefill", "Workers that compute prompts. [default: 1; 0 with only --mixed]");
    private readonly Option<int?> _decode = Count("--decode", "Workers that generate. [default: 1; 0 with only --mixed]");
    private readonly Option<int?> _mixed = Count("--mixed", "Workers that do both. [default: 0]");
    private readonly Option<int?> _threads = Count("--threads", "Compute threads of each worker. [default: twice its share of the processors, at most all]");
    private readonly Option<string> _device = DeviceChoice.CreateOption();
    private readonly Option<int?> _startTimeout = new("--start-timeout")
    {
        Description = "Longest wait in seconds until all serve.",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => 120,
    };

    private UpCommand()
    {
        ServiceOptions.RequirePort(_port);
        ServiceOptions.RequireRange(_startTimeout, 1, 24 * 60 * 60);
        ServiceOptions.RequireRange(_prefill, 0, MostWorkers);
        ServiceOptions.RequireRange(_decode, 0, MostWorkers);
        ServiceOptions.RequireRange(_mixed, 0, MostWorkers);
        ServiceOptions.RequireThreads(_threads);
        _settings.Add<string?>(
            "--affinity", WorkerSettings.AffinityKey, "Processors, such as 0-7, that are shared out among the workers, whose threads are tied to one each. [default: the system chooses]", "LIST");
        WorkerSettings.AddMemory(_settings);
        GatewaySettings.AddPlacement(_settings);
        GatewaySettings.AddKeys(_settings);
        _settings.AddShared("warning");
    }

    public static Command Create()
    {
        var up = new UpCommand();
        var command = new Command(
            "up",
            "Runs the whole cluster on this machine and says when it serves: in one process, or with --redis in one process for each worker and the gateway.")
        {
            up._model, up._name, up._host, up._port, up._prefill, up._decode, up._mixed, up._device, up._threads, up._startTimeout,
        };
        up._settings.AddTo(command);
        command.SetAction(CommandRunner.Guard("up", up.RunAsync));
        return command;
    }

    private async Task<int> RunAsync(ParseResult result, CancellationToken stopping)
    {
        DeviceChoice.Require(result.GetValue(_device)!);
        var workers = WorkerCounts.Resolve(result.GetValue(_prefill), result.GetValue(_decode), result.GetValue(_mixed));
        string host = result.GetValue(_host)!;
        int port = result.GetValue(_port)!.Value;
        ListenAddress.EnsureFree(host, port, "--port");

        (string model, string name) = Model(result, stopping);
        IConfiguration configuration = _settings.Build(result, (ServiceSettings.LogLevelKey, nameof(LogLevel.Warning)));
        var options = new UpOptions
        {
            ModelPath = model,
            ModelName = result.GetValue(_name) ?? name,
            Host = host,
            Port = port,
            Workers = workers,
            Threads = ThreadShares.Resolve(workers.Total, result.GetValue(_threads), configuration),
            StartTimeout = TimeSpan.FromSeconds(result.GetValue(_startTimeout)!.Value),
        };
        RedisOptions? redis = ServiceSettings.Redis(configuration);
        return redis is null
            ? await new InProcessCluster(options, configuration).RunAsync(stopping)
            : await new ProcessCluster(options, redis, configuration).RunAsync(stopping);
    }

    private (string Directory, string Name) Model(ParseResult result, CancellationToken cancellationToken)
    {
        if (result.GetValue(_model) is not { Length: > 0 } given)
        {
            return DefaultModel.Resolve(cancellationToken);
        }

        string directory = Path.TrimEndingDirectorySeparator(Path.GetFullPath(given));
        return Directory.Exists(directory)
            ? (directory, Path.GetFileName(directory))
            : throw new CommandException($"--model: there is no folder '{directory}'; expected one with config.json, tokenizer.json and *.safetensors.");
    }

    private static Option<int?> Count(string name, string description) => new(name) { Description = description, HelpName = "N" };
}
