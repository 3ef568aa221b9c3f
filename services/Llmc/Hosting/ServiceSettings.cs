using System.CommandLine;
using LlmCluster.Cluster.Redis;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>
/// The settings of a service, in .NET's manner: <c>appsettings.json</c>, then variables such as
/// <c>LLMC__Gateway__Url</c>, then the command line, the later ones winning.
/// </summary>
internal sealed class ServiceSettings
{
    /// <summary>Begins the names of environment variables that are settings.</summary>
    public const string VariablePrefix = "LLMC__";

    /// <summary>The key of Redis' address.</summary>
    public const string RedisUrlKey = "Redis:Url";

    /// <summary>The key of the log level.</summary>
    public const string LogLevelKey = "Logging:LogLevel:Default";

    private const string DefaultFile = "appsettings.json";
    private static readonly string[] Sections = ["Gateway", "Worker", "Redis", "Logging"];

    private readonly List<(Option Option, string Key)> _options = [];

    private readonly Option<FileInfo?> _file = new("--config")
    {
        Description = $"File of settings in JSON; {DefaultFile} in the working folder by default, if there is one.",
        HelpName = "FILE",
    };

    private readonly Option<string[]> _set = new("--set")
    {
        Description = "Any other setting, for example --set Gateway:RequestTimeout=00:05:00. May be repeated.",
        HelpName = "KEY=VALUE",
    };

    public ServiceSettings()
    {
        _set.Validators.Add(result =>
        {
            foreach (string value in result.Tokens.Select(token => token.Value))
            {
                if (value.IndexOf('=') < 1)
                {
                    result.AddError($"--set: '{value}' is not of the form KEY=VALUE.");
                }
            }
        });
    }

    /// <summary>Adds an option whose value, where it is given, is the setting of a key.</summary>
    public Option<T> Add<T>(string name, string key, string description, string helpName)
    {
        var option = new Option<T>(name) { Description = description, HelpName = helpName };
        _options.Add((option, key));
        return option;
    }

    /// <summary>Adds an option that is one of a few words.</summary>
    public Option<string?> AddChoice(string name, string key, string description, params string[] choices)
    {
        Option<string?> option = Add<string?>(name, key, description, string.Join('|', choices));
        option.AcceptOnlyFromAmong(choices);
        return option;
    }

    /// <summary>Adds the options that services share: Redis, the cluster's name, logging, other settings.</summary>
    public void AddShared(string defaultLogLevel)
    {
        Add<string?>(
            "--redis", RedisUrlKey, "redis://[:PASSWORD@]HOST[:PORT][/DATABASE], or rediss://... for TLS. Better kept in LLMC__Redis__Url when it holds a password.", "URL");
        Add<string?>("--cluster", "Redis:KeyPrefix", "The cluster's name, so that several can share one Redis. [default: llmcluster]", "NAME");
        AddChoice(
            "--log-level", LogLevelKey, $"Least severe messages to show. [default: {defaultLogLevel}]", "trace", "debug", "information", "warning", "error", "critical", "none");
    }

    /// <summary>Adds all of the options to a command.</summary>
    public void AddTo(Command command)
    {
        foreach ((Option option, _) in _options)
        {
            command.Options.Add(option);
        }

        command.Options.Add(_file);
        command.Options.Add(_set);
        command.Options.Add(Supervision.Option);
    }

    /// <summary>Reads the settings.</summary>
    /// <param name="result">The command line.</param>
    /// <param name="fallback">Settings that anything else overrides.</param>
    /// <exception cref="CommandException">The file of settings can't be read.</exception>
    public IConfigurationRoot Build(ParseResult result, params (string Key, string Value)[] fallback)
    {
        var given = new Dictionary<string, string?>();
        foreach ((Option option, string key) in _options)
        {
            if (result.GetResult(option) is { Implicit: false, Tokens: [{ } token, ..] })
            {
                given[key] = token.Value;
            }
        }

        foreach (string setting in result.GetValue(_set) ?? [])
        {
            int equals = setting.IndexOf('=');
            given[setting[..equals]] = setting[(equals + 1)..];
        }

        FileInfo? file = result.GetValue(_file);
        try
        {
            return new ConfigurationBuilder()
                .AddInMemoryCollection(fallback.ToDictionary(pair => pair.Key, pair => (string?)pair.Value))
                .AddJsonFile(file?.FullName ?? Path.GetFullPath(DefaultFile), optional: file is null)
                .AddEnvironmentVariables(VariablePrefix)
                .AddInMemoryCollection(given)
                .Build();
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            string reason = exception.InnerException is { } inner ? inner.Message : exception.Message;
            throw new CommandException($"the settings in '{file?.FullName ?? DefaultFile}' can't be read: {reason}", exception);
        }
    }

    /// <summary>Whether a key is a setting of services or of what they share.</summary>
    public static bool IsService(string key) =>
        Sections.Any(section => key.StartsWith($"{section}:", StringComparison.OrdinalIgnoreCase));

    /// <summary>The settings of Redis; none where no address is given.</summary>
    /// <exception cref="CommandException">A setting can't be understood; the message names it.</exception>
    public static RedisOptions? Redis(IConfiguration configuration)
    {
        if (string.IsNullOrEmpty(configuration[RedisUrlKey]))
        {
            return null;
        }

        try
        {
            return configuration.GetSection("Redis").Get<RedisOptions>();
        }
        catch (InvalidOperationException exception)
        {
            throw new CommandException($"{exception.Message} {exception.InnerException?.Message}".Trim(), exception);
        }
    }
}
