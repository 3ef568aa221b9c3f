using System.CommandLine;
using LlmCluster.Cluster.Redis;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>What the options of several commands have in common.</summary>
internal static class ServiceOptions
{
    private const int HighestPort = 65535;
    private const int MostThreads = 1024;

    /// <summary>Those of Redis, which a service in a process of its own can't do without.</summary>
    public static RedisOptions RequireRedis(IConfiguration configuration) =>
        ServiceSettings.Redis(configuration)
        ?? throw new CommandException("name the Redis that the cluster shares with --redis URL (or LLMC__Redis__Url).");

    /// <summary>Makes an option refuse what is no port.</summary>
    public static void RequirePort(Option<int?> option) => RequireRange(option, 0, HighestPort);

    /// <summary>Makes an option refuse what is no number of compute threads.</summary>
    public static void RequireThreads(Option<int?> option) => RequireRange(option, 1, MostThreads);

    /// <summary>Makes an option refuse what is not in a range.</summary>
    public static void RequireRange(Option<int?> option, int least, int most) => option.Validators.Add(result =>
    {
        if (int.TryParse(result.Tokens.SingleOrDefault()?.Value, out int value) && (value < least || value > most))
        {
            result.AddError($"{option.Name} is {value}; it must lie between {least} and {most}.");
        }
    });
}
