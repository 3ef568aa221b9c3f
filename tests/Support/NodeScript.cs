namespace LlmCluster.Testing;

/// <summary>Scripts in <c>tests/Interop/node</c>, run by Node.js with the packages that are locked there.</summary>
public static class NodeScript
{
    /// <summary>Absolute path of the folder of scripts and their <c>package.json</c>.</summary>
    public static string Folder { get; } = RepositoryRoot.Combine("tests", "Interop", "node");

    /// <summary>Runs a script to its end and returns what it wrote; any other exit code than 0 throws.</summary>
    /// <param name="script">Path of the script below <see cref="Folder"/>.</param>
    /// <param name="arguments">Its arguments, unquoted.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="deadline">Longest run; two minutes by default.</param>
    /// <exception cref="InvalidOperationException">It failed; the message holds its standard error.</exception>
    /// <exception cref="TimeoutException">It was still running at the deadline, and was ended.</exception>
    public static Task<ScriptResult> RunAsync(
        string script, IEnumerable<string>? arguments = null, string? input = null, TimeSpan? deadline = null)
    {
        RequirePackages();
        return ScriptRunner.RunAsync("node", Path.Combine(Folder, script), arguments ?? [], input, deadline, Folder);
    }

    /// <summary>Starts a script that keeps running, such as a server.</summary>
    public static TestProcess Start(string script, params string[] arguments)
    {
        RequirePackages();
        return new TestProcess("node", [Path.Combine(Folder, script), .. arguments], Folder);
    }

    /// <summary>Absolute path of a file of an installed package.</summary>
    public static string PackageFile(params ReadOnlySpan<string> parts)
    {
        RequirePackages();
        return Path.Combine([Folder, "node_modules", .. parts]);
    }

    private static void RequirePackages()
    {
        if (!Directory.Exists(Path.Combine(Folder, "node_modules")))
        {
            throw new InvalidOperationException(
                $"'{Folder}/node_modules' is missing: run './llmc test', or 'npm ci' in '{Folder}', which install it.");
        }
    }
}
