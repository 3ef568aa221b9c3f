using System.CommandLine;
using System.CommandLine.Parsing;
using LlmCluster.Cluster;
using LlmCluster.Evaluation;
using LlmCluster.Gateway;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Worker;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>Runs a command's action and turns what it throws into one line and an exit code.</summary>
internal static class CommandRunner
{
    /// <summary>The command failed.</summary>
    public const int Failure = 1;

    /// <summary>The command was interrupted before it had done what it was asked for.</summary>
    public const int Interrupted = 130;

    /// <summary>How long a command may take to end after Ctrl-C or SIGTERM before its process is ended.</summary>
    private static readonly TimeSpan TerminationTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Runs the program and returns its exit code.</summary>
    public static Task<int> RunAsync(RootCommand root, string[] args)
    {
        ParseResult result = root.Parse(args);
        if (result.Errors.Count > 0 && result.CommandResult.Command != root)
        {
            // Without the help: what is wrong must not drown in all that would be right.
            foreach (ParseError error in result.Errors)
            {
                Console.Error.WriteLine($"{CommandPath(result.CommandResult)}: {OneLine(error.Message)}");
            }

            return Task.FromResult(Failure);
        }

        return result.InvokeAsync(new InvocationConfiguration
        {
            // A supervised service looks after signals itself.
            ProcessTerminationTimeout = Supervision.IsAskedFor(result) ? null : TerminationTimeout,
        });
    }

    /// <summary>Makes the action of a command.</summary>
    /// <param name="name">The command's name, for messages.</param>
    /// <param name="action">Gets the parsed options and a token that Ctrl-C, SIGTERM or the parent's end cancels; returns the exit code.</param>
    public static Func<ParseResult, CancellationToken, Task<int>> Guard(
        string name, Func<ParseResult, CancellationToken, Task<int>> action) => async (result, interrupted) =>
    {
        using Supervision? supervision = Supervision.Start(result);
        CancellationToken stopping = supervision?.Stopping ?? interrupted;
        try
        {
            return await action(result, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"llmc {name}: interrupted.");
            return Interrupted;
        }
        catch (Exception exception)
        {
            await Console.Error.WriteLineAsync($"llmc {name}: {Describe(exception)}");
            return Failure;
        }
    };

    private static string CommandPath(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{CommandPath(parent)} {command.Command.Name}" : "llmc";

    private static string Describe(Exception exception)
    {
        if (Environment.GetEnvironmentVariable("LLMC_DEBUG") == "1")
        {
            return exception.ToString();
        }

        return exception is CommandException or ArgumentException or IOException or UnauthorizedAccessException
            or GatewayOptionsException or WorkerOptionsException or ClusterStateException
            or CheckpointException or TokenizerFormatException or EvaluationException
            ? OneLine(exception.Message)
            : $"{OneLine(exception.Message)} ({exception.GetType().Name}; LLMC_DEBUG=1 shows where)";
    }

    private static string OneLine(string text) =>
        string.Join(' ', text.Split((char[])[' ', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries));
}
