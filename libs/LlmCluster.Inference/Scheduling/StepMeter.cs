using LlmCluster.Inference.Telemetry;

namespace LlmCluster.Inference.Scheduling;

/// <summary>How fast steps are, for those who choose among workers. One thread writes, any may read.</summary>
internal sealed class StepMeter
{
    /// <summary>Prompt tokens of a step from which on it says how fast prompts are computed.</summary>
    public const int SmallestPrefill = 32;

    private readonly RecentRate _prefill = new(SmallestPrefill);
    private readonly RecentRate _decodeSteps = new(smallest: 1);

    /// <summary>Prompt tokens in a second of nothing else; 0 until any were computed.</summary>
    public double PrefillRate => _prefill.PerSecond;

    /// <summary>Time since that was measured last.</summary>
    public TimeSpan PrefillAge => _prefill.Age;

    /// <summary>Seconds of a step in which sequences decoded; 0 until there was one.</summary>
    public double StepTime => _decodeSteps.PerSecond is > 0 and var steps ? 1 / steps : 0;

    /// <summary>Time since that was measured last.</summary>
    public TimeSpan StepAge => _decodeSteps.Age;

    /// <summary>Takes note of a step.</summary>
    /// <param name="decodes">Sequences that decoded in it.</param>
    /// <param name="prefillTokens">Prompt tokens that it computed.</param>
    /// <param name="decodeCost">Prompt tokens that take as long as one of the sequences: <see cref="StepPacer.DecodeCost"/>.</param>
    /// <param name="elapsed">Its duration.</param>
    public void Observe(int decodes, int prefillTokens, double decodeCost, TimeSpan elapsed)
    {
        if (decodes > 0)
        {
            _decodeSteps.Add(1, elapsed);
        }

        if (prefillTokens > 0)
        {
            // The decodes' share of the time is not the prompt's.
            _prefill.Add(prefillTokens, elapsed * (prefillTokens / (prefillTokens + (decodes * decodeCost))));
        }
    }
}
