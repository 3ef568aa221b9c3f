using System.Diagnostics;
using LlmCluster.Inference.Engine;

namespace LlmCluster.Bench.Interference;

/// <summary>A sequence that decodes, and the time between its tokens.</summary>
internal sealed class TokenStream(IGeneration generation, CancellationToken cancellationToken)
{
    // When each token came.
    private readonly List<long> _arrivals = new(8192);
    private readonly Lock _lock = new();

    /// <summary>Reads until it is cancelled.</summary>
    /// <exception cref="InvalidOperationException">The sequence ended by itself: the measurement takes longer than the context.</exception>
    public async Task ReadAsync()
    {
        try
        {
            await foreach (GeneratedToken _ in generation.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                lock (_lock)
                {
                    _arrivals.Add(Stopwatch.GetTimestamp());
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await generation.DisposeAsync().ConfigureAwait(false);
            return;
        }

        throw new InvalidOperationException($"A stream reached the model's context after {_arrivals.Count} tokens; measure fewer or shorter prompts.");
    }

    /// <summary>Whether so many tokens have come.</summary>
    public bool HasTokens(int count)
    {
        lock (_lock)
        {
            return _arrivals.Count >= count;
        }
    }

    /// <summary>Milliseconds between tokens, of the gaps that ended between two moments.</summary>
    public IEnumerable<double> Gaps(long start, long end)
    {
        lock (_lock)
        {
            var gaps = new List<double>();
            for (int i = 1; i < _arrivals.Count; i++)
            {
                if (_arrivals[i] >= start && _arrivals[i] <= end)
                {
                    gaps.Add(Stopwatch.GetElapsedTime(_arrivals[i - 1], _arrivals[i]).TotalMilliseconds);
                }
            }

            return gaps;
        }
    }
}
