namespace LlmCluster.CommandLine.Up;

/// <summary>A service ended that should have gone on.</summary>
/// <param name="name">What it is called.</param>
/// <param name="processId">Its process' id.</param>
/// <param name="exitCode">Its exit code; 128 and more stands for a signal.</param>
internal sealed class ChildEndedException(string name, int processId, int exitCode)
    : Exception($"{name} (process {processId}) ended unexpectedly: {Describe(exitCode)}.")
{
    private static string Describe(int exitCode) =>
        exitCode > 128 ? $"killed by signal {exitCode - 128}" : $"exit code {exitCode}; its log above says why";
}
