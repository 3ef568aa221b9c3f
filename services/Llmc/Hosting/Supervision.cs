using System.CommandLine;
using System.Runtime.InteropServices;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>
/// A service that <c>llmc up</c> started ends when its standard input does: that is how its parent asks it to, and what
/// the system does for a parent that was killed. Ctrl-C, which a terminal sends to the whole group, is left to the
/// parent, so that it can end the gateway before the workers that still answer its requests.
/// </summary>
internal sealed class Supervision : IDisposable
{
    /// <summary>A service that has not ended this long after it was asked to ends at once.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(40);

    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _signals;

    private Supervision()
    {
        _signals =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
            {
                context.Cancel = true;
                RequestStop();
            }),
        ];
        new Thread(ReadToEnd) { IsBackground = true, Name = "parent watch" }.Start();
    }

    /// <summary>Set by the parent.</summary>
    public static Option<bool> Option { get; } = new("--supervised")
    {
        Description = "End when standard input ends, and leave Ctrl-C to the parent process.",
        Hidden = true,
    };

    /// <summary>Cancelled when the service shall end.</summary>
    public CancellationToken Stopping => _stop.Token;

    /// <summary>Whether there is a parent that watches over this process.</summary>
    public static bool IsAskedFor(ParseResult result) => result.GetResult(Option) is { Implicit: false };

    /// <summary>Begins to watch the parent, if there is one.</summary>
    public static Supervision? Start(ParseResult result) => IsAskedFor(result) ? new Supervision() : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in _signals)
        {
            signal.Dispose();
        }
    }

    private void ReadToEnd()
    {
        using Stream input = Console.OpenStandardInput();
        Span<byte> buffer = stackalloc byte[64];
        while (input.Read(buffer) > 0)
        {
            // Nothing is said on this channel; its end is the message.
        }

        RequestStop();
    }

    private void RequestStop()
    {
        // Nobody may be left to notice a service that hangs.
        _ = Task.Delay(Grace).ContinueWith(_ => Environment.Exit(1), TaskScheduler.Default);
        _stop.Cancel();
    }
}
