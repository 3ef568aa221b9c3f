using LlmCluster.Cluster;
using LlmCluster.CommandLine.Hosting;

namespace LlmCluster.CommandLine.Up;

/// <summary>What <c>llmc up</c> was asked for.</summary>
internal sealed record UpOptions
{
    /// <summary>The model's folder.</summary>
    public required string ModelPath { get; init; }

    /// <summary>The name that clients ask for.</summary>
    public required string ModelName { get; init; }

    /// <summary>Where the gateway listens.</summary>
    public required string Host { get; init; }

    /// <summary>The gateway's port; 0 is a free one.</summary>
    public required int Port { get; init; }

    /// <summary>How many workers of each role.</summary>
    public required WorkerCounts Workers { get; init; }

    /// <summary>Compute threads of each worker, and where they run.</summary>
    public required ThreadShares Threads { get; init; }

    /// <summary>Longest wait until all serve.</summary>
    public required TimeSpan StartTimeout { get; init; }
}

/// <summary>How many workers there are of each role.</summary>
internal readonly record struct WorkerCounts(int Prefill, int Decode, int Mixed)
{
    /// <summary>All of them.</summary>
    public int Total => Prefill + Decode + Mixed;

    /// <summary>Each worker's role and name, for example <c>decode-1</c>.</summary>
    public IEnumerable<(WorkerRole Role, string Name)> All()
    {
        foreach ((WorkerRole role, int count) in new[] { (WorkerRole.Decode, Decode), (WorkerRole.Mixed, Mixed), (WorkerRole.Prefill, Prefill) })
        {
            for (int i = 1; i <= count; i++)
            {
                yield return (role, $"{role.ToString().ToLowerInvariant()}-{i}");
            }
        }
    }

    /// <summary>
    /// Fills in what was not given: one prefill and one decode worker, or neither where mixed workers are asked for.
    /// </summary>
    /// <exception cref="CommandException">These workers could not serve a request.</exception>
    public static WorkerCounts Resolve(int? prefill, int? decode, int? mixed)
    {
        bool mixedOnly = mixed > 0 && prefill is null && decode is null;
        int other = mixedOnly ? 0 : 1;
        var counts = new WorkerCounts(prefill ?? other, decode ?? other, mixed ?? 0);
        if (counts.Mixed == 0 && (counts.Prefill == 0 || counts.Decode == 0))
        {
            throw new CommandException(
                $"--prefill {counts.Prefill} --decode {counts.Decode} --mixed 0 can serve nothing: at least one prefill and one decode worker are needed, or one mixed worker.");
        }

        return counts;
    }

    /// <summary>The counts in words, for example <c>1 prefill, 1 decode</c>.</summary>
    public override string ToString()
    {
        (int Count, string Role)[] counts = [(Prefill, "prefill"), (Decode, "decode"), (Mixed, "mixed")];
        return string.Join(", ", counts.Where(pair => pair.Count > 0).Select(pair => $"{pair.Count} {pair.Role}"));
    }
}
