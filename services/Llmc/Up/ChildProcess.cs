using System.Diagnostics;

namespace LlmCluster.CommandLine.Up;

/// <summary>
/// A service in a process of its own. What it writes is passed on, line by line, behind its name; it is asked to end by
/// the end of its standard input, so that it ends as well when this process is killed.
/// </summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const string ReadyPrefix = "Ready: ";
    private const string ListeningPrefix = "Listening: ";
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    private readonly Process _process;
    private readonly TextWriter _log;
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _stopping;

    private ChildProcess(string name, Process process, TextWriter log)
    {
        Name = name;
        _process = process;
        _log = log;
        Id = process.Id;
        Exited = WaitForExitAsync();
    }

    /// <summary>What the service is called in logs.</summary>
    public string Name { get; }

    /// <summary>The process' id.</summary>
    public int Id { get; }

    /// <summary>Where it serves; complete once it has said so, cancelled if it ends before.</summary>
    public Task<Uri> Ready => _ready.Task;

    /// <summary>Its exit code, once it has ended and all of its output is passed on.</summary>
    public Task<int> Exited { get; }

    /// <summary>Starts a service.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments, unquoted.</param>
    /// <param name="environment">Variables to set besides this process' own.</param>
    /// <param name="log">Gets its output; must be safe to use from several threads.</param>
    public static ChildProcess Start(
        string name,
        string file,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string> environment,
        TextWriter log)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string key, string value) in environment)
        {
            start.Environment[key] = value;
        }

        Process process = Process.Start(start) ?? throw new InvalidOperationException($"'{file}' did not start.");
        return new ChildProcess(name, process, log);
    }

    /// <summary>Asks the service to end, waits, and ends it at the deadline. Returns whether it ended by itself.</summary>
    public async Task<bool> StopAsync(TimeSpan grace)
    {
        if (Interlocked.Exchange(ref _stopping, 1) == 0)
        {
            _process.StandardInput.Close();
        }

        try
        {
            await Exited.WaitAsync(grace);
            return true;
        }
        catch (TimeoutException)
        {
            _process.Kill(entireProcessTree: true);
            await Exited;
            return false;
        }
    }

    /// <summary>Ends the process if it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _process.Dispose();
    }

    private async Task<int> WaitForExitAsync()
    {
        try
        {
            Task output = Task.WhenAll(ForwardAsync(_process.StandardOutput), ForwardAsync(_process.StandardError));
            await _process.WaitForExitAsync();

            // A process that it started itself may hold the pipes open: its last words are not waited for.
            await Task.WhenAny(output, Task.Delay(LastWords));
            return _process.ExitCode;
        }
        finally
        {
            _ready.TrySetCanceled();
        }
    }

    private async Task ForwardAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(ReadyPrefix, StringComparison.Ordinal) && Uri.TryCreate(line[ReadyPrefix.Length..], UriKind.Absolute, out Uri? uri))
            {
                _ready.TrySetResult(uri);
            }
            else if (!line.StartsWith(ListeningPrefix, StringComparison.Ordinal))
            {
                await _log.WriteLineAsync($"{Name} | {line}");
            }
        }
    }
}
