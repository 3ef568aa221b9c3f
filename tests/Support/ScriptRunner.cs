using System.Diagnostics;

namespace LlmCluster.Testing;

/// <summary>Runs an interpreter on a script to its end, within a deadline.</summary>
internal static class ScriptRunner
{
    public static async Task<ScriptResult> RunAsync(
        string interpreter,
        string script,
        IEnumerable<string> arguments,
        string? input,
        TimeSpan? deadline,
        string workingDirectory)
    {
        if (!File.Exists(script))
        {
            throw new FileNotFoundException($"There is no script '{script}'.", script);
        }

        TimeSpan limit = deadline ?? TimeSpan.FromMinutes(2);
        var start = new ProcessStartInfo(interpreter, [script, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory,
        };
        using Process process = Process.Start(start)
            ?? throw new InvalidOperationException($"Could not start {interpreter} {script}.");
        using var cancellation = new CancellationTokenSource(limit);
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancellation.Token);
        Task<string> errors = process.StandardError.ReadToEndAsync(cancellation.Token);
        try
        {
            await FeedAsync(process, input, cancellation.Token);
            await process.WaitForExitAsync(cancellation.Token);
            var result = new ScriptResult(await output, await errors);
            return process.ExitCode == 0
                ? result
                : throw new InvalidOperationException(
                    $"{interpreter} {script} ended with exit code {process.ExitCode}.\n{result.Errors}\n{Tail(result.Output)}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{interpreter} {script} did not end within {limit.TotalSeconds:0.#} s.");
        }
    }

    private static async Task FeedAsync(Process process, string? input, CancellationToken cancellationToken)
    {
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading all of its input; its exit code and output tell why.
        }
    }

    private static string Tail(string text) => text.Length <= 4000 ? text : $"...{text[^4000..]}";
}
