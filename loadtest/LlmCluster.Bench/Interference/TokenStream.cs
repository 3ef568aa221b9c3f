using System.Diagnostics;
using LlmCluster.Inference.Engine;

namespace LlmCluster.Bench.Interference;

/// <summary>A sequence that decodes, and the time between its tokens. When its context is full, another one takes its place.</summary>
/// <param name="start">Starts a sequence.</param>
/// <param name="cancellationToken">Ends the stream.</param>
internal sealed class TokenStream(Func<CancellationToken, ValueTask<IGeneration>> start, CancellationToken cancellationToken)
{
    // When each token came, and whether it was the first one of its sequence.
    private readonly List<(long At, bool IsFirst)> _arrivals = new(8192);
    private readonly Lock _lock = new();

    /// <summary>Reads until it is cancelled.</summary>
    public async Task ReadAsync()
    {
        try
        {
            while (true)
            {
                await ReadOneAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>Whether so many tokens have come.</summary>
    public bool HasTokens(int count)
    {
        lock (_lock)
        {
            return _arrivals.Count >= count;
        }
    }

    /// <summary>Milliseconds between tokens of one sequence, of the gaps that ended between two moments.</summary>
    public IEnumerable<double> Gaps(long from, long to)
    {
        lock (_lock)
        {
            var gaps = new List<double>();
            for (int i = 1; i < _arrivals.Count; i++)
            {
                (long at, bool isFirst) = _arrivals[i];
                if (!isFirst && at >= from && at <= to)
                {
                    gaps.Add(Stopwatch.GetElapsedTime(_arrivals[i - 1].At, at).TotalMilliseconds);
                }
            }

            return gaps;
        }
    }

    private async Task ReadOneAsync()
    {
        IGeneration generation = await start(cancellationToken).ConfigureAwait(false);
        await using (generation.ConfigureAwait(false))
        {
            bool isFirst = true;
            await foreach (GeneratedToken _ in generation.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                lock (_lock)
                {
                    _arrivals.Add((Stopwatch.GetTimestamp(), isFirst));
                }

                isFirst = false;
            }
        }
    }
}
