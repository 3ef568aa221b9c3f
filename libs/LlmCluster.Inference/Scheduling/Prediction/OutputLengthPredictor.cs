namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>How <see cref="OutputLengthPredictor"/> weighs what it saw.</summary>
internal sealed record OutputLengthPredictorOptions
{
    /// <summary>Observations of a key that weigh about as much as they all; smaller ones follow changes sooner and fluctuate more. Over 1.</summary>
    public double Window { get; init; } = 2000;

    /// <summary>How many observations of a key weigh as much as what the more general keys say. Over 0.</summary>
    public double BackOff { get; init; } = 30;

    /// <summary>Most keys; beyond them those that nothing was observed of for longest are forgotten. Each takes about 1.8 KB.</summary>
    public int MaxKeys { get; init; } = 2048;
}

/// <summary>
/// Predicts output lengths from those of earlier requests, the specific ones first: of the same model, tenant and shape; of the model and shape; of the model and tenant;
/// of the model; and before anything was seen, a guess of the magnitude. How much each says depends on how much it saw. Deterministic: the same calls give the same answers.
/// </summary>
internal sealed class OutputLengthPredictor(OutputLengthPredictorOptions? options = null) : IOutputLengthPredictor
{
    // The prior counts as little: it is no more than a guess of the magnitude.
    private const double PriorStrength = 1;
    private const int Levels = 4;

    private readonly OutputLengthPredictorOptions _options = options ?? new OutputLengthPredictorOptions();
    private readonly Dictionary<Key, LinkedListNode<Entry>> _entries = [];

    // Those observed last come first.
    private readonly LinkedList<Entry> _byUse = [];
    private readonly LengthDistribution _distribution = new();
    private readonly Key[] _keys = new Key[Levels];
    private readonly Lock _lock = new();

    private readonly record struct Key(string Model, ulong Tenant, bool HasShape, RequestKind Kind, int PromptOctave, int MaxOctave);

    private readonly record struct Entry(Key Key, LengthHistogram Histogram);

    /// <summary>Keys that are held.</summary>
    public int Keys
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <inheritdoc/>
    public void Predict(in RequestShape shape, int generated, ReadOnlySpan<double> quantiles, Span<int> lengths)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(generated);
        ArgumentOutOfRangeException.ThrowIfNotEqual(lengths.Length, quantiles.Length, nameof(lengths));
        foreach (double quantile in quantiles)
        {
            if (quantile is not (> 0 and < 1))
            {
                throw new ArgumentOutOfRangeException(nameof(quantiles), quantile, "A quantile must be over 0 and below 1.");
            }
        }

        lock (_lock)
        {
            _distribution.SetPrior();
            double strength = PriorStrength;
            int levels = SetKeys(shape);
            for (int i = 0; i < levels; i++)
            {
                if (_entries.TryGetValue(_keys[i], out LinkedListNode<Entry>? entry))
                {
                    entry.Value.Histogram.Refine(_distribution, strength);
                    strength = _options.BackOff;
                }
            }

            for (int i = 0; i < quantiles.Length; i++)
            {
                lengths[i] = Math.Min(_distribution.Quantile(quantiles[i], generated), Math.Max(shape.MaxTokens, 1));
            }
        }
    }

    /// <inheritdoc/>
    public void Observe(in RequestShape shape, int tokens, bool ended)
    {
        if (tokens <= 0)
        {
            return;
        }

        lock (_lock)
        {
            // The general ones last, so that they are forgotten last.
            for (int i = SetKeys(shape) - 1; i >= 0; i--)
            {
                Touch(_keys[i]).Add(tokens, ended);
            }
        }
    }

    // From the general to the specific; returns how many.
    private int SetKeys(in RequestShape shape)
    {
        var model = new Key(shape.Model, 0, false, RequestKind.Unknown, 0, 0);
        Key shaped = model with { HasShape = true, Kind = shape.Kind, PromptOctave = shape.PromptOctave, MaxOctave = shape.MaxOctave };
        _keys[0] = model;
        if (shape.Tenant == 0)
        {
            _keys[1] = shaped;
            return 2;
        }

        _keys[1] = model with { Tenant = shape.Tenant };
        _keys[2] = shaped;
        _keys[3] = shaped with { Tenant = shape.Tenant };
        return Levels;
    }

    private LengthHistogram Touch(Key key)
    {
        if (_entries.TryGetValue(key, out LinkedListNode<Entry>? node))
        {
            _byUse.Remove(node);
            _byUse.AddFirst(node);
            return node.Value.Histogram;
        }

        if (_entries.Count >= _options.MaxKeys)
        {
            _entries.Remove(_byUse.Last!.Value.Key);
            _byUse.RemoveLast();
        }

        node = _byUse.AddFirst(new Entry(key, new LengthHistogram(_options.Window)));
        _entries.Add(key, node);
        return node.Value.Histogram;
    }
}
