using System.CommandLine;
using System.Text.Json;

namespace LlmCluster.CommandLine.Commands;

/// <summary>What commands that measure have in common: a file for their figures.</summary>
internal static class BenchReport
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>The option that names the file.</summary>
    public static Option<FileInfo?> Option() => new("--json") { Description = "File that gets the figures as JSON." };

    /// <summary>Writes the figures, if a file was named.</summary>
    public static async Task WriteAsync<T>(FileInfo? file, T result, CancellationToken cancellationToken)
    {
        if (file is not null)
        {
            file.Directory?.Create();
            await File.WriteAllTextAsync(file.FullName, JsonSerializer.Serialize(result, Json) + "\n", cancellationToken);
        }
    }
}
