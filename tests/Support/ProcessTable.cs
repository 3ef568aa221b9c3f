using System.Globalization;

namespace LlmCluster.Testing;

/// <summary>The processes of this machine, as <c>/proc</c> lists them.</summary>
public static class ProcessTable
{
    /// <summary>Whether a process runs; one that has ended and only waits to be noticed by its parent does not.</summary>
    public static bool IsRunning(int processId) => Read(processId) is { State: not ('Z' or 'X') };

    /// <summary>Ids of the running processes whose parent is the given one.</summary>
    public static IReadOnlyList<int> ChildrenOf(int parent)
    {
        var children = new List<int>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                && Read(id) is { State: not ('Z' or 'X') } process && process.Parent == parent)
            {
                children.Add(id);
            }
        }

        return children;
    }

    private static (char State, int Parent)? Read(int processId)
    {
        try
        {
            // "id (name) state parent ...", where the name may hold anything.
            string stat = File.ReadAllText($"/proc/{processId}/stat");
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            // It ended in between.
            return null;
        }
    }
}
