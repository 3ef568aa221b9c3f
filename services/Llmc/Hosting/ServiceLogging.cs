using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>Logs go to standard error, one line a message; standard output holds what a command promises to print.</summary>
internal static class ServiceLogging
{
    /// <summary>Configures logging by the section <c>Logging</c>.</summary>
    public static Action<ILoggingBuilder> Configure(IConfiguration configuration) => logging =>
    {
        // It would tell how to end a host that is only one of several here.
        logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);

        // That a worker is not ready while it starts or drains is no failure, and the health service tells it anyway.
        logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical);
        logging.AddConfiguration(configuration.GetSection("Logging"));
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.IncludeScopes = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
            console.ColorBehavior = Console.IsErrorRedirected ? LoggerColorBehavior.Disabled : LoggerColorBehavior.Default;
        });
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    };

    /// <summary>Makes a factory for what runs outside of a service.</summary>
    public static ILoggerFactory CreateFactory(IConfiguration configuration) => LoggerFactory.Create(Configure(configuration));
}
