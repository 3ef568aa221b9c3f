using System.Runtime.CompilerServices;

namespace LlmCluster.Testing;

/// <summary>Waits for conditions that another thread or process will make true.</summary>
public static class Eventually
{
    /// <summary>The deadline where a test names none: generous, since a passing test never waits for it.</summary>
    public static readonly TimeSpan DefaultDeadline = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    /// <summary>Returns once the condition holds; throws <see cref="TimeoutException"/> at the deadline.</summary>
    /// <param name="condition">Looked at every 10 ms; what it throws ends the wait.</param>
    /// <param name="deadline">Longest wait; <see cref="DefaultDeadline"/> by default.</param>
    /// <param name="state">Describes the state when the deadline passes.</param>
    /// <param name="what">The condition's text, for the message.</param>
    public static Task TrueAsync(
        Func<bool> condition,
        TimeSpan? deadline = null,
        Func<string>? state = null,
        [CallerArgumentExpression(nameof(condition))] string what = "") =>
        TrueAsync(() => ValueTask.FromResult(condition()), deadline, state, what);

    /// <summary>Like the other, for a condition that has to be asked for.</summary>
    public static async Task TrueAsync(
        Func<ValueTask<bool>> condition,
        TimeSpan? deadline = null,
        Func<string>? state = null,
        [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        TimeSpan limit = deadline ?? DefaultDeadline;
        long start = TimeProvider.System.GetTimestamp();
        while (!await condition())
        {
            if (TimeProvider.System.GetElapsedTime(start) > limit)
            {
                throw new TimeoutException(
                    $"After {limit.TotalSeconds:0.#} s this still did not hold: {what}{(state is null ? "" : $"\n{state()}")}");
            }

            await Task.Delay(Interval);
        }
    }

    /// <summary>Returns the value once it satisfies the predicate; throws <see cref="TimeoutException"/> at the deadline.</summary>
    public static async Task<T> ValueAsync<T>(
        Func<ValueTask<T>> value,
        Predicate<T> predicate,
        TimeSpan? deadline = null,
        [CallerArgumentExpression(nameof(predicate))] string what = "")
    {
        T last = default!;
        await TrueAsync(
            async () => predicate(last = await value()),
            deadline,
            () => $"last value: {last}",
            what);
        return last;
    }
}
