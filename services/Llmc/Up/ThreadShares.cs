using System.Globalization;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Inference.Cpu.Threading;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.CommandLine.Up;

/// <summary>
/// How the workers of one machine share its processors. By default each has twice its share of threads, and no more than there are processors: workers are seldom
/// all busy at once, and where they are, a team waits for no thread that the system has not let run.
/// </summary>
/// <param name="PerWorker">Compute threads of each worker.</param>
/// <param name="Processors">Those that are shared out; null: the system chooses.</param>
internal sealed record ThreadShares(int PerWorker, int[]? Processors)
{
    /// <summary>The list of a worker's processors; null: the system chooses.</summary>
    /// <param name="worker">Index of the worker.</param>
    public string? Affinity(int worker) =>
        Processors is null ? null : ProcessorList.Format(Processors.Skip(worker * PerWorker).Take(PerWorker));

    /// <summary>Shares out.</summary>
    /// <param name="workers">Workers on this machine.</param>
    /// <param name="threads">Threads of each, where <c>--threads</c> says so; else the setting counts.</param>
    /// <param name="configuration">All settings.</param>
    /// <exception cref="CommandException">The processors can't be understood, or are too few.</exception>
    public static ThreadShares Resolve(int workers, int? threads, IConfiguration configuration)
    {
        threads ??= Setting(configuration);
        if (configuration[WorkerSettings.AffinityKey] is not { Length: > 0 } list)
        {
            return new ThreadShares(threads ?? Math.Clamp(2 * UsableProcessors.Count / workers, 1, UsableProcessors.Count), null);
        }

        int[] processors;
        try
        {
            processors = ProcessorList.Parse(list);
        }
        catch (ArgumentException e)
        {
            throw new CommandException($"--affinity ({WorkerSettings.AffinityKey}): {e.Message}", e);
        }

        int each = threads ?? processors.Length / workers;
        return each >= 1 && (long)each * workers <= processors.Length
            ? new ThreadShares(each, processors)
            : throw new CommandException(
                $"--affinity {list} lists {processors.Length} processors, too few for {workers} workers with {Math.Max(each, 1)} threads each; list one for each thread.");
    }

    private static int? Setting(IConfiguration configuration)
    {
        if (configuration[WorkerSettings.ThreadsKey] is not { Length: > 0 } text)
        {
            return null;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int threads) && threads is >= 1 and <= 1024
            ? threads
            : throw new CommandException($"{WorkerSettings.ThreadsKey} is '{text}'; it must be a whole number between 1 and 1024.");
    }
}
