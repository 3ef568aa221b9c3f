namespace LlmCluster.Testing;

/// <summary>What a script wrote to standard output before it ended with exit code 0.</summary>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
public sealed record ScriptResult(string Output, string Errors)
{
    /// <summary>The lines of standard output, without empty ones.</summary>
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
