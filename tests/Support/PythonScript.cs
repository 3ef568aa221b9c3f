namespace LlmCluster.Testing;

/// <summary>Scripts run by Debian's Python, which has the packages that the references need (PyTorch, NumPy).</summary>
public static class PythonScript
{
    /// <summary>Debian's interpreter, whatever else PATH knows.</summary>
    public const string Interpreter = "/usr/bin/python3";

    /// <summary>Runs a script to its end and returns what it wrote; any other exit code than 0 throws.</summary>
    /// <param name="script">Path of the script, absolute or from the root of the checkout.</param>
    /// <param name="arguments">Its arguments, unquoted.</param>
    /// <param name="input">Its standard input.</param>
    /// <param name="deadline">Longest run; two minutes by default.</param>
    /// <exception cref="InvalidOperationException">It failed; the message holds its standard error.</exception>
    /// <exception cref="TimeoutException">It was still running at the deadline, and was ended.</exception>
    public static Task<ScriptResult> RunAsync(
        string script, IEnumerable<string>? arguments = null, string? input = null, TimeSpan? deadline = null) =>
        ScriptRunner.RunAsync(
            Interpreter, RepositoryRoot.Combine(script), arguments ?? [], input, deadline, RepositoryRoot.Path);
}
