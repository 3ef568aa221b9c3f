using System.Diagnostics;
using System.Runtime.InteropServices;

namespace LlmCluster.Testing;

/// <summary>
/// A program that a test started. It is ended by its own id, at the latest when the test disposes of it, and what it
/// wrote goes into every failure's message.
/// </summary>
public partial class TestProcess : IAsyncDisposable
{
    private readonly ProcessOutput _output = new();
    private readonly Process _process;
    private readonly Task _reading;

    /// <summary>Starts the program.</summary>
    /// <param name="file">The program, as a path or as a name that PATH knows.</param>
    /// <param name="arguments">Its arguments, unquoted.</param>
    /// <param name="workingDirectory">Where it starts; the root of the checkout by default.</param>
    /// <param name="environment">Variables to set, or with null to remove.</param>
    public TestProcess(
        string file,
        IEnumerable<string> arguments,
        string? workingDirectory = null,
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? RepositoryRoot.Path,
        };
        foreach ((string name, string? value) in environment ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }

        CommandLine = $"{file} {string.Join(' ', start.ArgumentList)}";
        _process = Process.Start(start) ?? throw new InvalidOperationException($"Could not start: {CommandLine}");
        _reading = ReadAsync();
    }

    /// <summary>The program and its arguments, for messages.</summary>
    public string CommandLine { get; }

    /// <summary>The process' id.</summary>
    public int Id => _process.Id;

    /// <summary>Whether it has ended.</summary>
    public bool HasExited => _process.HasExited;

    /// <summary>What it has written so far; lines of standard error begin with <c>! </c>.</summary>
    public string Log => _output.ToString();

    /// <summary>The lines of <see cref="Log"/>.</summary>
    public IReadOnlyList<string> Lines => _output.Lines;

    /// <summary>The process' standard input.</summary>
    public StreamWriter StandardInput => _process.StandardInput;

    /// <summary>Returns the first line, written already or to come, that satisfies the predicate.</summary>
    /// <exception cref="TimeoutException">No such line until the deadline.</exception>
    /// <exception cref="InvalidOperationException">The process ended without one.</exception>
    public async Task<string> WaitForLineAsync(Func<string, bool> match, string what, TimeSpan? deadline = null)
    {
        TimeSpan limit = deadline ?? Eventually.DefaultDeadline;
        try
        {
            return await _output.WaitForAsync(match).WaitAsync(limit);
        }
        catch (EndOfStreamException)
        {
            throw new InvalidOperationException(Describe($"ended before it wrote {what}"));
        }
        catch (TimeoutException)
        {
            throw new TimeoutException(Describe($"did not write {what} within {limit.TotalSeconds:0.#} s"));
        }
    }

    /// <summary>Waits for the process' end and returns its exit code.</summary>
    /// <exception cref="TimeoutException">It still runs at the deadline.</exception>
    public async Task<int> WaitForExitAsync(TimeSpan? deadline = null)
    {
        TimeSpan limit = deadline ?? Eventually.DefaultDeadline;
        try
        {
            await _process.WaitForExitAsync().WaitAsync(limit);
            await _reading.WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException(Describe($"did not end within {limit.TotalSeconds:0.#} s"));
        }

        return _process.ExitCode;
    }

    /// <summary>Sends a signal: <see cref="PosixSignal.SIGINT"/>, SIGTERM or SIGQUIT.</summary>
    public void Signal(PosixSignal signal) => Send(signal switch
    {
        PosixSignal.SIGINT => 2,
        PosixSignal.SIGQUIT => 3,
        PosixSignal.SIGTERM => 15,
        _ => throw new ArgumentOutOfRangeException(nameof(signal), signal, "Only SIGINT, SIGQUIT and SIGTERM."),
    });

    /// <summary>Stops the process without ending it (SIGSTOP), until <see cref="Thaw"/>.</summary>
    public void Freeze() => Send(19);

    /// <summary>Lets a frozen process run on (SIGCONT).</summary>
    public void Thaw() => Send(18);

    /// <summary>Ids of the processes that it has started and that still run.</summary>
    public IReadOnlyList<int> ChildIds() => ProcessTable.ChildrenOf(Id);

    /// <summary>Ends the process at once (SIGKILL) and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await WaitForExitAsync();
    }

    /// <summary>A message about the process, with all that it wrote.</summary>
    public string Describe(string what)
    {
        string status = _process.HasExited ? $"exit code {_process.ExitCode}" : "still running";
        return $"Process {Id} {what} ({status}).\nCommand: {CommandLine}\nOutput:\n{Log}";
    }

    /// <summary>Ends the process if it still runs.</summary>
    public virtual async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
        GC.SuppressFinalize(this);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int processId, int signal);

    private async Task ReadAsync()
    {
        try
        {
            await Task.WhenAll(
                _output.ReadAllAsync(_process.StandardOutput),
                _output.ReadAllAsync(_process.StandardError, "! "));
        }
        finally
        {
            _output.End();
        }
    }

    private void Send(int signal)
    {
        if (SendSignal(Id, signal) != 0)
        {
            throw new InvalidOperationException(
                Describe($"can't be sent signal {signal}: {Marshal.GetLastPInvokeErrorMessage()}"));
        }
    }
}
