namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>How a sequence's generation ended.</summary>
internal enum OutputEnd
{
    /// <summary>It came to its own end.</summary>
    Own,

    /// <summary>It had its most tokens.</summary>
    Limit,

    /// <summary>It was cancelled, or failed.</summary>
    Dropped,
}

/// <summary>
/// What is predicted of one sequence, revised as it decodes; and what came of it. Touched by the engine's thread alone once it was handed over.
/// </summary>
/// <param name="predictor">Predicts and learns.</param>
/// <param name="calibration">Compares both; null where nobody wants to know.</param>
/// <param name="shape">The request.</param>
/// <param name="minTokens">Tokens before which it can't end.</param>
/// <param name="canStop">Whether any token can end it; if none can, it has its most tokens.</param>
/// <param name="admissionQuantile">Quantile by which admission leaves room; 0 for none.</param>
internal sealed class SequenceForecast(
    IOutputLengthPredictor predictor, LengthCalibration? calibration, RequestShape shape, int minTokens, bool canStop, double admissionQuantile)
{
    // Predictions cost microseconds, and say the same for a while.
    private const int Lasts = 16;

    private readonly int[] _onArrival = Predict(predictor, shape, canStop);
    private int _median;
    private int _needed;
    private int _validBefore;

    /// <summary>Median of the whole output's length in tokens.</summary>
    public int Median(int generated)
    {
        Revise(generated);
        return _median;
    }

    /// <summary>The length in tokens for which admission leaves room; 0 for none.</summary>
    public int Needed(int generated)
    {
        Revise(generated);
        return _needed;
    }

    /// <summary>Takes note of the end.</summary>
    public void Ended(int generated, OutputEnd end)
    {
        if (!canStop || generated <= 0)
        {
            return;
        }

        predictor.Observe(shape, generated, end == OutputEnd.Own);
        if (end != OutputEnd.Dropped)
        {
            calibration?.Add(_onArrival, generated);
        }
    }

    private static int[] Predict(IOutputLengthPredictor predictor, in RequestShape shape, bool canStop)
    {
        var lengths = new int[LengthCalibration.Quantiles.Length];
        if (canStop)
        {
            predictor.Predict(shape, 0, LengthCalibration.Quantiles, lengths);
        }

        return lengths;
    }

    private void Revise(int generated)
    {
        if (generated < _validBefore)
        {
            return;
        }

        if (!canStop)
        {
            _median = shape.MaxTokens;
            _needed = admissionQuantile > 0 ? shape.MaxTokens : 0;
            _validBefore = int.MaxValue;
            return;
        }

        Span<int> lengths = [0, 0];
        bool leavesRoom = admissionQuantile > 0;
        predictor.Predict(shape, generated, [0.5, leavesRoom ? admissionQuantile : 0.5], lengths);
        _median = AtLeast(lengths[0]);
        _needed = leavesRoom ? AtLeast(lengths[1]) : 0;
        _validBefore = Math.Min(generated + Lasts, leavesRoom ? Math.Min(_median, _needed) : _median);

        int AtLeast(int length) => Math.Clamp(length, Math.Min(minTokens, shape.MaxTokens), shape.MaxTokens);
    }
}
