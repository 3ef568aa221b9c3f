using System.Text.RegularExpressions;

namespace LlmCluster.Testing;

/// <summary>The command line program <c>llmc</c>, as it was built with the tests, in a process of its own.</summary>
public sealed partial class LlmcProcess : TestProcess
{
    /// <summary>Starts <c>llmc</c>.</summary>
    /// <param name="arguments">Its arguments, unquoted.</param>
    /// <param name="workingDirectory">Where it starts; the root of the checkout by default.</param>
    /// <param name="environment">Variables to set, or with null to remove.</param>
    public LlmcProcess(
        IEnumerable<string> arguments,
        string? workingDirectory = null,
        IReadOnlyDictionary<string, string?>? environment = null)
        : base(Executable, arguments, workingDirectory, WithRoot(environment))
    {
    }

    /// <summary>Absolute path of the program: the one of the configuration that the tests were built in.</summary>
    public static string Executable { get; } = Find();

    /// <summary>Starts <c>llmc</c> and returns when it has said that it serves.</summary>
    public static async Task<(LlmcProcess Process, Uri Address)> StartReadyAsync(params string[] arguments)
    {
        var process = new LlmcProcess(arguments);
        try
        {
            return (process, await process.WaitForReadyAsync());
        }
        catch
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs <c>llmc</c> to its end and returns exit code and output.</summary>
    public static async Task<(int ExitCode, string Log)> RunAsync(string[] arguments, TimeSpan? deadline = null, string? input = null)
    {
        await using var process = new LlmcProcess(arguments);
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
        }

        process.StandardInput.Close();
        int exitCode = await process.WaitForExitAsync(deadline);
        return (exitCode, process.Log);
    }

    /// <summary>Waits for the line <c>Ready: http://...</c> and returns its address.</summary>
    /// <param name="deadline">Longest wait; a minute by default.</param>
    public async Task<Uri> WaitForReadyAsync(TimeSpan? deadline = null)
    {
        string line = await WaitForLineAsync(
            text => ReadyLine.IsMatch(text), "'Ready: http://...'", deadline ?? TimeSpan.FromMinutes(1));
        return new Uri(ReadyLine.Match(line).Groups["url"].Value);
    }

    [GeneratedRegex(@"^Ready: (?<url>https?://\S+)")]
    private static partial Regex ReadyLine { get; }

    // As the launcher tells it where the checkout is, and with it the demo model.
    private static Dictionary<string, string?> WithRoot(IReadOnlyDictionary<string, string?>? environment) =>
        new(environment ?? new Dictionary<string, string?>()) { ["LLMC_ROOT"] = RepositoryRoot.Path };

    private static string Find()
    {
        // artifacts/bin/PROJECT/CONFIGURATION/ holds the tests as well as llmc.
        string configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string path = RepositoryRoot.Combine("artifacts", "bin", "Llmc", configuration, "llmc");
        return File.Exists(path)
            ? path
            : throw new FileNotFoundException($"'{path}' was not built; build the test project again.", path);
    }
}
