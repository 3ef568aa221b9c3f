using LlmCluster.Bench.Traces;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Bench.Lengths;

/// <summary>
/// Replays a trace through the predictor of output lengths that workers use. Requests overlap as they would: a request's output is learnt from when its last token
/// would have come, which is a time to the first token after its arrival, and a time per token for each of the others. Predictions begin with the first output.
/// </summary>
public sealed class LengthsBenchmark
{
    private readonly LengthsBenchmarkOptions _options;
    private readonly OutputLengthPredictor _predictor = new();

    // All outputs alike, and none forgotten.
    private readonly LengthHistogram _all = new(window: 1e9);
    private readonly LengthDistribution _distribution = new();

    private readonly LengthTally _arrival = new();
    private readonly LengthTally _half = new();
    private readonly LengthTally _after = new();
    private readonly PriorityQueue<Moment, (double Time, MomentKind Kind, int Number)> _moments = new();
    private long _outputs;
    private double _tokens;
    private int _moment;

    private LengthsBenchmark(LengthsBenchmarkOptions options) => _options = options;

    private enum MomentKind
    {
        End,
        Half,
        After,
    }

    private readonly record struct Moment(TraceRequest Request, int Generated);

    /// <summary>Replays the trace.</summary>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    /// <exception cref="IOException">The trace can't be read.</exception>
    public static async Task<LengthsBenchmarkResult> RunAsync(LengthsBenchmarkOptions options, CancellationToken cancellationToken)
    {
        options.Validate();
        IReadOnlyList<TraceRequest> requests = await TraceFile.ReadAsync(options.Trace, cancellationToken).ConfigureAwait(false);
        return new LengthsBenchmark(options).Replay(requests, cancellationToken);
    }

    private static RequestShape Shape(TraceRequest request) => new("trace", 0, RequestKind.Chat, request.InputTokens, int.MaxValue);

    private LengthsBenchmarkResult Replay(IReadOnlyList<TraceRequest> requests, CancellationToken cancellationToken)
    {
        int inFlight = 0;
        int most = 0;
        foreach (TraceRequest request in requests)
        {
            cancellationToken.ThrowIfCancellationRequested();
            inFlight -= Pass(until: request.Timestamp);
            Predict(request, 0, _arrival);
            most = Math.Max(most, ++inFlight);
            Plan(request, MomentKind.End, request.OutputTokens);
            if (request.OutputTokens > 1)
            {
                Plan(request, MomentKind.Half, request.OutputTokens / 2);
            }

            if (request.OutputTokens > _options.After)
            {
                Plan(request, MomentKind.After, _options.After);
            }
        }

        Pass(until: double.PositiveInfinity);
        return new LengthsBenchmarkResult
        {
            Requests = requests.Count,
            TimeToFirstToken = _options.TimeToFirstToken,
            TimePerToken = _options.TimePerToken,
            MostInFlight = most,
            Arrival = _arrival.Figures,
            Half = _half.IsEmpty ? null : _half.Figures,
            AfterTokens = _options.After,
            After = _after.IsEmpty ? null : _after.Figures,
        };
    }

    private void Plan(TraceRequest request, MomentKind kind, int generated)
    {
        double time = request.Timestamp + _options.TimeToFirstToken + ((generated - 1.0) * _options.TimePerToken);
        _moments.Enqueue(new Moment(request, generated), (time, kind, _moment++));
    }

    // Returns how many requests ended.
    private int Pass(double until)
    {
        int ended = 0;
        while (_moments.TryPeek(out Moment moment, out (double Time, MomentKind Kind, int Number) at) && at.Time <= until)
        {
            _moments.Dequeue();
            if (at.Kind == MomentKind.End)
            {
                ended++;
                Observe(moment.Request);
            }
            else
            {
                Predict(moment.Request, moment.Generated, at.Kind == MomentKind.Half ? _half : _after);
            }
        }

        return ended;
    }

    private void Observe(TraceRequest request)
    {
        _predictor.Observe(Shape(request), request.OutputTokens, ended: true);
        _all.Add(request.OutputTokens, ended: true);
        _tokens += request.OutputTokens;
        _outputs++;
    }

    private void Predict(TraceRequest request, int generated, LengthTally tally)
    {
        if (_outputs == 0)
        {
            return;
        }

        Span<int> own = stackalloc int[LengthTally.Quantiles.Length];
        Span<int> global = stackalloc int[LengthTally.Quantiles.Length];
        _predictor.Predict(Shape(request), generated, LengthTally.Quantiles, own);
        _distribution.SetPrior();
        _all.Refine(_distribution, strength: 1);
        for (int i = 0; i < global.Length; i++)
        {
            global[i] = _distribution.Quantile(LengthTally.Quantiles[i], generated);
        }

        tally.Add(request.OutputTokens, own, Math.Max(_tokens / _outputs, generated + 1), global);
    }
}
