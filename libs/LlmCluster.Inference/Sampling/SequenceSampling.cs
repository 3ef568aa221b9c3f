namespace LlmCluster.Inference.Sampling;

/// <summary>
/// What sampling has to know of one sequence: its options, and which tokens stand in it, as far as penalties ask.
/// </summary>
internal sealed class SequenceSampling
{
    private readonly int[] _stopTokens;
    private readonly int _minTokens;

    // Tokens of prompt and answer; none without a repetition penalty.
    private readonly HashSet<int>? _seen;

    // How often each token stands in the answer; none without presence or frequency penalty.
    private readonly Dictionary<int, int>? _counts;
    private int _generated;

    public SequenceSampling(SamplingOptions options, ReadOnlySpan<int> prompt, IReadOnlyList<int> stopTokens, int minTokens)
    {
        Options = options;
        _stopTokens = [.. stopTokens];
        _minTokens = minTokens;
        if (options.RepetitionPenalty != 1)
        {
            _seen = [];
            foreach (int token in prompt)
            {
                _seen.Add(token);
            }
        }

        if (options.PresencePenalty != 0 || options.FrequencyPenalty != 0)
        {
            _counts = [];
        }
    }

    public SamplingOptions Options { get; }

    /// <summary>Whether <see cref="Adjust"/> would change logits for the next token.</summary>
    public bool AdjustsLogits =>
        _seen is not null || _counts is { Count: > 0 } || Options.LogitBias is { Count: > 0 } || MasksStopTokens;

    private bool MasksStopTokens => _generated < _minTokens && _stopTokens.Length > 0;

    /// <summary>Takes note of a generated token.</summary>
    public void Append(int token)
    {
        _generated++;
        _seen?.Add(token);
        if (_counts is not null)
        {
            _counts[token] = _counts.GetValueOrDefault(token) + 1;
        }
    }

    /// <summary>
    /// Applies, in this order: repetition penalty, frequency and presence penalty, bias, and the mask on stop tokens
    /// while the answer is shorter than it must be. Each changes logits one by one, so the order of tokens is of no
    /// account.
    /// </summary>
    public void Adjust(Span<float> logits)
    {
        if (_seen is not null)
        {
            float penalty = Options.RepetitionPenalty;
            foreach (int token in _seen)
            {
                ref float logit = ref logits[token];
                logit = logit > 0 ? logit / penalty : logit * penalty;
            }
        }

        if (_counts is not null)
        {
            foreach ((int token, int count) in _counts)
            {
                logits[token] -= (Options.FrequencyPenalty * count) + Options.PresencePenalty;
            }
        }

        if (Options.LogitBias is { } biases)
        {
            foreach ((int token, float bias) in biases)
            {
                logits[token] += bias;
            }
        }

        if (MasksStopTokens)
        {
            foreach (int token in _stopTokens)
            {
                if ((uint)token < (uint)logits.Length)
                {
                    logits[token] = float.NegativeInfinity;
                }
            }
        }
    }
}
