using System.Diagnostics;
using System.Globalization;
using LlmCluster.Evaluation;

namespace LlmCluster.CommandLine.Commands;

/// <summary>
/// Says how many are done: on a terminal in one line that changes, elsewhere in a line for each tenth, so that a log stays
/// short. Reports may come from any thread, and late ones are left out.
/// </summary>
internal sealed class CountProgress(TextWriter output, bool isTerminal) : IProgress<EvaluationProgress>, IDisposable
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private int _done;
    private long _written;
    private bool _lineIsOpen;

    public void Report(EvaluationProgress value)
    {
        lock (_lock)
        {
            if (value.Done <= _done)
            {
                return;
            }

            int before = _done;
            _done = value.Done;
            string text = string.Create(CultureInfo.InvariantCulture, $"{value.Done} of {value.Total}");
            if (!isTerminal)
            {
                if (Tenths(value.Done, value.Total) > Tenths(before, value.Total))
                {
                    output.WriteLine(text);
                }
            }
            else if (value.Done == value.Total || _written == 0 || Stopwatch.GetElapsedTime(_written) >= Between)
            {
                output.Write($"\r{text}");
                _written = Stopwatch.GetTimestamp();
                _lineIsOpen = true;
            }
        }
    }

    /// <summary>Ends the line.</summary>
    public void Dispose()
    {
        if (_lineIsOpen)
        {
            output.WriteLine();
        }
    }

    private static long Tenths(int done, int total) => 10L * done / total;
}
