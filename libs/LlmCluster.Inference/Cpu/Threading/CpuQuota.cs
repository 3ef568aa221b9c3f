using System.Globalization;

namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>
/// The share of processors that Linux control groups leave this process, as containers with a CPU limit have it. A group's limit holds for all
/// below it, so the least one from the process's own group up to the root counts. Version 2 keeps it in <c>cpu.max</c>, version 1 in
/// <c>cpu.cfs_quota_us</c> and <c>cpu.cfs_period_us</c>.
/// </summary>
internal static class CpuQuota
{
    private const string Mount = "sys/fs/cgroup";

    /// <summary>Reads the limit.</summary>
    /// <param name="root">The root of the file system.</param>
    /// <returns>Processors, for example 1.5; null where there is no limit, or none that can be read.</returns>
    public static double? Read(string root)
    {
        double? least = null;
        foreach (string line in ReadLines(Path.Combine(root, "proc/self/cgroup")))
        {
            // Number, controllers, path. Version 2 has the number 0 and no controllers.
            string[] parts = line.Split(':', 3);
            if (parts.Length != 3)
            {
                continue;
            }

            string[] controllers = parts[1].Split(',');
            if (parts[0] == "0" && parts[1].Length == 0)
            {
                least = Least(least, Walk([Path.Combine(root, Mount), Path.Combine(root, Mount, "unified")], parts[2], ReadVersion2));
            }
            else if (controllers.Contains("cpu"))
            {
                least = Least(least, Walk([Path.Combine(root, Mount, "cpu"), Path.Combine(root, Mount, parts[1])], parts[2], ReadVersion1));
            }
        }

        return least;
    }

    // A container may see its group as the root of the mount while the path is still the host's: what is not there is passed over.
    private static double? Walk(string[] mounts, string path, Func<string, double?> read)
    {
        double? least = null;
        foreach (string mount in mounts)
        {
            string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
            for (int depth = names.Length; depth >= 0; depth--)
            {
                least = Least(least, read(Path.Combine([mount, .. names[..depth]])));
            }
        }

        return least;
    }

    private static double? ReadVersion2(string group) =>
        ReadLines(Path.Combine(group, "cpu.max")) is [{ } line, ..] && line.Split(' ') is [{ } quota, { } period] ? Ratio(quota, period) : null;

    private static double? ReadVersion1(string group) =>
        ReadLines(Path.Combine(group, "cpu.cfs_quota_us")) is [{ } quota, ..]
        && ReadLines(Path.Combine(group, "cpu.cfs_period_us")) is [{ } period, ..] ? Ratio(quota, period) : null;

    // "max" and -1 are no limit.
    private static double? Ratio(string quota, string period) =>
        long.TryParse(quota, NumberStyles.None, CultureInfo.InvariantCulture, out long used) && used > 0
        && long.TryParse(period, NumberStyles.None, CultureInfo.InvariantCulture, out long each) && each > 0
            ? (double)used / each
            : null;

    private static double? Least(double? first, double? second) => first is { } a && second is { } b ? Math.Min(a, b) : first ?? second;

    private static string[] ReadLines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
