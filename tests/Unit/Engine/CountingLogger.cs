using Microsoft.Extensions.Logging;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>Counts what an engine logs.</summary>
internal sealed class CountingLogger : ILogger
{
    private int _preemptions;
    private int _errors;
    private int _warnings;

    public int Preemptions => Volatile.Read(ref _preemptions);

    public int Warnings => Volatile.Read(ref _warnings);

    public int Errors => Volatile.Read(ref _errors);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (eventId.Name == "LogPreempted")
        {
            Interlocked.Increment(ref _preemptions);
        }

        if (logLevel == LogLevel.Warning)
        {
            Interlocked.Increment(ref _warnings);
        }

        if (logLevel >= LogLevel.Error)
        {
            Interlocked.Increment(ref _errors);
        }
    }
}
