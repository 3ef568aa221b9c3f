using LlmCluster.Inference.Engine;

namespace LlmCluster.Inference.Sampling;

/// <summary>
/// Chooses tokens from logits. The order is: penalties and bias (<see cref="SequenceSampling.Adjust"/>), temperature,
/// top-k, top-p over what top-k left, min-p, draw. Temperature 0 takes the likeliest token, the lowest id among
/// equals. The result depends on the row, the sequence's own tokens, the seed and the position alone. One thread at a
/// time.
/// </summary>
internal sealed class Sampler
{
    private readonly float[] _adjusted;
    private readonly float[] _weights;
    private readonly double[] _sums;
    private readonly TopFilter _filter;

    public Sampler(int vocabSize)
    {
        _adjusted = new float[vocabSize];
        _weights = new float[vocabSize];
        _sums = new double[(vocabSize + LogitMath.ChunkSize - 1) / LogitMath.ChunkSize];
        _filter = new TopFilter(vocabSize);
    }

    /// <summary>Chooses the token at a position.</summary>
    /// <param name="logits">The row, as the model gave it.</param>
    /// <param name="sequence">The sequence's options and tokens.</param>
    /// <param name="position">The token's absolute position in the sequence.</param>
    /// <returns>The token, without a finish reason.</returns>
    /// <exception cref="GenerationException">The logits are no numbers to choose by.</exception>
    public GeneratedToken Sample(ReadOnlySpan<float> logits, SequenceSampling sequence, int position)
    {
        float rawMax = LogitMath.Max(logits);
        if (!float.IsFinite(rawMax))
        {
            throw new GenerationException(
                GenerationError.Internal,
                $"The model's logits for position {position} hold no largest finite number (found {rawMax}); its weights or its K/V are damaged.");
        }

        int token = Choose(logits, rawMax, sequence, position);
        int topCount = sequence.Options.TopLogprobs;
        if (topCount < 0)
        {
            return new GeneratedToken(token, FinishReason.None);
        }

        double logSum = Logprobs.LogSum(logits, rawMax, _weights, _sums);
        return new GeneratedToken(
            token, FinishReason.None, (float)(logits[token] - logSum), Logprobs.Top(logits, topCount, logSum));
    }

    private int Choose(ReadOnlySpan<float> logits, float max, SequenceSampling sequence, int position)
    {
        SamplingOptions options = sequence.Options;
        if (sequence.AdjustsLogits)
        {
            logits.CopyTo(_adjusted);
            sequence.Adjust(_adjusted);
            logits = _adjusted;
            max = LogitMath.Max(logits);
            if (!float.IsFinite(max))
            {
                throw new GenerationException(
                    GenerationError.InvalidRequest,
                    $"Penalties, bias and masked stop tokens leave no token to choose at position {position} (largest logit {max}).");
            }
        }

        if (options.Temperature == 0)
        {
            return logits.IndexOf(max);
        }

        LogitMath.Exponentials(logits, max, options.Temperature, _weights);
        if (options.TopK > 0)
        {
            _filter.KeepCount(logits, _weights, max, options.Temperature, options.TopK);
        }

        if (options.TopP < 1)
        {
            _filter.KeepMass(logits, _weights, max, options.Temperature, options.TopP * LogitMath.ChunkSums(_weights, _sums));
        }

        if (options.MinP > 0)
        {
            // The likeliest token weighs 1.
            foreach (ref float weight in _weights.AsSpan())
            {
                weight = weight >= options.MinP ? weight : 0;
            }
        }

        double total = LogitMath.ChunkSums(_weights, _sums);
        double mark = Philox.Uniform(options.Seed, position) * total;
        return Draw(Math.Min(mark, Math.BitDecrement(total)));
    }

    // The first token at which the running sum of weights passes the mark.
    private int Draw(double mark)
    {
        int chunk = 0;
        double sum = 0;
        while (sum + _sums[chunk] <= mark)
        {
            sum += _sums[chunk++];
        }

        int start = chunk * LogitMath.ChunkSize;
        int last = start;
        for (int id = start; id < Math.Min(start + LogitMath.ChunkSize, _weights.Length); id++)
        {
            if (_weights[id] != 0)
            {
                last = id;
                sum += _weights[id];
                if (sum > mark)
                {
                    break;
                }
            }
        }

        // The chunk's sum was taken in another order: it may pass the mark where this one just misses it.
        return last;
    }
}
