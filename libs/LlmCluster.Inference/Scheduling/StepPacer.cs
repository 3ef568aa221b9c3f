namespace LlmCluster.Inference.Scheduling;

/// <summary>
/// Says how many prompt tokens a step may compute beside sequences that decode, so that a step takes no longer than a limit: chunked
/// prefill (Agrawal et al., "Taming Throughput-Latency Tradeoff in LLM Inference with Sarathi-Serve", 2024) with chunks as long as measured steps
/// allow. Chunks never change a token, so neither does time.
/// </summary>
/// <remarks>
/// Where decoding alone leaves little of the limit, or none, prefill may take half as long as decoding does, and a few tokens in any
/// case: prompts have to get on.
/// </remarks>
/// <param name="limit">Longest step; zero: any.</param>
internal sealed class StepPacer(TimeSpan limit)
{
    /// <summary>Tokens that are always allowed.</summary>
    public const int SmallestChunk = 4;

    // Before anything was measured.
    private const int FirstChunk = 16;

    // A new measurement's share of the estimate: what takes longer than thought is believed sooner.
    private const double Rising = 0.5;
    private const double Falling = 0.1;

    // What a decoded token may cost in prompt tokens; beyond it, something else took the time.
    private const double MostDecodeCost = 100;

    private double _decode;
    private double _decodeShare;
    private double _perToken;

    /// <summary>Prompt tokens that a step in which sequences decode may compute.</summary>
    public int PrefillTokens
    {
        get
        {
            if (limit <= TimeSpan.Zero)
            {
                return int.MaxValue;
            }

            double seconds = Math.Max(limit.TotalSeconds - _decode, _decode / 2);
            return _perToken > 0 ? (int)Math.Clamp(seconds / _perToken, SmallestChunk, int.MaxValue) : FirstChunk;
        }
    }

    /// <summary>Prompt tokens that take as long as one sequence's share of a step that only decodes: from 1, which it is before both were measured.</summary>
    public double DecodeCost => _perToken > 0 && _decodeShare > 0 ? Math.Clamp(_decodeShare / _perToken, 1, MostDecodeCost) : 1;

    /// <summary>Takes note of how long a step took.</summary>
    /// <param name="decodes">Sequences that decoded in it.</param>
    /// <param name="prefillTokens">Prompt tokens that it computed.</param>
    /// <param name="elapsed">Its duration.</param>
    public void Observe(int decodes, int prefillTokens, TimeSpan elapsed)
    {
        if (prefillTokens == 0)
        {
            Update(ref _decode, elapsed.TotalSeconds);
            Update(ref _decodeShare, elapsed.TotalSeconds / Math.Max(decodes, 1));
        }
        else
        {
            double prefill = elapsed.TotalSeconds - (decodes > 0 ? _decode : 0);
            Update(ref _perToken, Math.Max(prefill, 0) / prefillTokens);
        }
    }

    private static void Update(ref double estimate, double measured) =>
        estimate = estimate == 0 ? measured : estimate + ((measured > estimate ? Rising : Falling) * (measured - estimate));
}
