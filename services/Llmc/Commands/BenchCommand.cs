using System.CommandLine;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench NAME</c>: measures a part of the system.</summary>
internal static class BenchCommand
{
    public static Command Create() => new("bench", "Measures a part of the system.")
    {
        BenchEngineCommand.Create(),
        BenchKvCommand.Create(),
        BenchInterferenceCommand.Create(),
        BenchPrefixCommand.Create(),
        BenchLengthsCommand.Create(),
        BenchRoutingCommand.Create(),
        BenchDirectoryCommand.Create(),
    };
}
