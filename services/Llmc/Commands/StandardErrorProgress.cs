namespace LlmCluster.CommandLine.Commands;

/// <summary>Says on standard error what is going on, a line each, so that output stays what was asked for.</summary>
internal sealed class StandardErrorProgress : IProgress<string>
{
    public void Report(string value) => Console.Error.WriteLine(value);
}
