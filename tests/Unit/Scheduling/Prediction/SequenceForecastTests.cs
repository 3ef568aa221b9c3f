using System.Diagnostics.Metrics;
using LlmCluster.Inference.Scheduling.Prediction;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling.Prediction;

public class SequenceForecastTests
{
    private static readonly RequestShape Shape = new("m", 0, RequestKind.Chat, 10, 500);

    private readonly OutputLengthPredictor _predictor = new();
    private readonly LengthCalibration _calibration = new();

    [Fact]
    public void Predictions_are_revised_as_tokens_come()
    {
        Learn(1000, 100);
        Learn(100, 400);
        SequenceForecast forecast = New();
        Assert.InRange(forecast.Median(0), 96, 104);
        Assert.InRange(forecast.Needed(0), 96, 104);
        Assert.InRange(forecast.Median(120), 384, 416);
    }

    [Fact]
    public void Predictions_are_always_longer_than_what_there_is()
    {
        Learn(1000, 20);
        SequenceForecast forecast = New();
        for (int generated = 0; generated < 500; generated++)
        {
            Assert.InRange(forecast.Median(generated), generated + 1, 500);
        }
    }

    [Fact]
    public void What_can_not_stop_has_its_most_tokens_and_teaches_nothing()
    {
        SequenceForecast forecast = New(canStop: false);
        Assert.Equal((500, 500), (forecast.Median(0), forecast.Needed(3)));
        forecast.Ended(500, OutputEnd.Limit);
        Assert.Equal((0, 0L), (_predictor.Keys, _calibration.Status(0).Observed));
    }

    [Fact]
    public void The_least_tokens_are_a_bound()
    {
        Learn(1000, 20);
        Assert.Equal(300, New(minTokens: 300).Median(0));
    }

    [Fact]
    public void Without_a_quantile_admission_needs_no_room()
    {
        Assert.Equal(0, New(admission: 0).Needed(0));
        Assert.Equal(0, New(admission: 0, canStop: false).Needed(0));
        Assert.True(New(admission: 0).Median(0) > 0);
    }

    [Fact]
    public void Coverage_tells_how_many_were_no_longer_than_predicted()
    {
        using var listener = new MeterListener();
        var counted = new List<string>();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "llmcluster.output_length.predictions")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            lock (counted)
            {
                counted.Add($"{tags[0].Key}={tags[0].Value} {tags[1].Key}={tags[1].Value} {value}");
            }
        });
        listener.Start();
        Assert.Null(_calibration.Status(7).Coverage50);

        // Others may count at the same time; nobody else may have fewer of these.
        Learn(1000, 100);
        for (int i = 0; i < 10; i++)
        {
            New().Ended(i < 7 ? 50 : 450, OutputEnd.Own);
        }

        OutputLengthStatus status = _calibration.Status(7);
        Assert.Equal((10L, 7), (status.Observed, status.Median));
        Assert.InRange(status.Coverage50!.Value, 0.69, 0.71);
        Assert.InRange(status.Coverage90!.Value, 0.69, 0.71);
        lock (counted)
        {
            Assert.True(counted.Count(c => c == "quantile=0.9 covered=true 1") >= 7);
            Assert.True(counted.Count(c => c == "quantile=0.5 covered=false 1") >= 3);
        }
    }

    [Fact]
    public void Outputs_that_were_broken_off_are_learnt_from_but_not_counted()
    {
        New().Ended(50, OutputEnd.Dropped);
        Assert.Equal((2, 0L), (_predictor.Keys, _calibration.Status(0).Observed));
        New().Ended(0, OutputEnd.Dropped);
        New().Ended(500, OutputEnd.Limit);
        Assert.Equal(1, _calibration.Status(0).Observed);
    }

    private void Learn(int count, int length)
    {
        for (int i = 0; i < count; i++)
        {
            _predictor.Observe(Shape, length, ended: true);
        }
    }

    private SequenceForecast New(int minTokens = 0, bool canStop = true, double admission = 0.5) =>
        new(_predictor, _calibration, Shape, minTokens, canStop, admission);
}
