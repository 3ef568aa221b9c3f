using LlmCluster.Inference.Scheduling;
using LlmCluster.Inference.Telemetry;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Telemetry;

public class RecentRateTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Nothing_measured_is_zero()
    {
        var rate = new RecentRate(10);
        Assert.Equal(0, rate.PerSecond);
        rate.Add(0, Second);
        rate.Add(5, TimeSpan.Zero);
        rate.Add(double.NaN, Second);
        Assert.Equal(0, rate.PerSecond);
    }

    [Fact]
    public void Small_measurements_count_until_there_is_a_large_one()
    {
        var rate = new RecentRate(10);
        rate.Add(1, Second);
        Assert.Equal(1, rate.PerSecond, 1e-9);
        rate.Add(50, Second);
        Assert.Equal(50, rate.PerSecond, 1e-9);
        rate.Add(1, 10 * Second);
        Assert.Equal(50, rate.PerSecond, 1e-9);
    }

    [Fact]
    public void One_that_was_held_up_counts_for_nothing_once_others_did_as_much()
    {
        var rate = new RecentRate(10);
        rate.Add(100, 10 * Second);
        Assert.Equal(10, rate.PerSecond, 1e-9);
        for (int i = 0; i < 3; i++)
        {
            rate.Add(40, Second / 10);
        }

        Assert.Equal(400, rate.PerSecond, 1e-9);
        rate.Add(40, Second / 10);
        rate.Add(50, 100 * Second);
        Assert.Equal(400, rate.PerSecond, 1e-9);
    }

    [Fact]
    public void Half_of_the_amount_is_done_as_fast()
    {
        var rate = new RecentRate(10);
        foreach (int amount in new[] { 10, 20, 40, 80 })
        {
            rate.Add(amount, Second);
        }

        Assert.Equal(80, rate.PerSecond, 1e-9);
        rate.Add(100, 2 * Second);
        rate.Add(100, 2 * Second);
        Assert.Equal(50, rate.PerSecond, 1e-9);
    }

    [Fact]
    public void What_is_new_wins_in_the_end()
    {
        var rate = new RecentRate(10);
        for (int i = 0; i < 20; i++)
        {
            rate.Add(50, Second);
        }

        for (int i = 0; i < 20; i++)
        {
            rate.Add(50, Second / 2);
        }

        Assert.InRange(rate.PerSecond, 99, 100);
    }

    [Fact]
    public void It_knows_how_old_the_last_measurement_is()
    {
        var time = new ManualTime();
        var rate = new RecentRate(10, time);
        time.Advance(Second);
        Assert.Equal(TimeSpan.Zero, rate.Age);
        rate.Add(50, Second);
        time.Advance(3 * Second);
        Assert.Equal(3 * Second, rate.Age);

        // One too small to count makes nothing younger.
        rate.Add(1, Second);
        Assert.Equal(3 * Second, rate.Age);
        rate.Add(50, Second);
        Assert.Equal(TimeSpan.Zero, rate.Age);
    }

    [Fact]
    public void Decodes_do_not_distort_the_rate_of_prompts()
    {
        var meter = new StepMeter();
        Assert.Equal((0, 0), (meter.PrefillRate, meter.StepTime));

        // A thousand tokens a second; each of 10 sequences costs as much as 8 prompt tokens.
        for (int i = 0; i < 200; i++)
        {
            meter.Observe(10, 120, 8, TimeSpan.FromMilliseconds(200));
        }

        Assert.Equal(1000, meter.PrefillRate, 1e-6);
        Assert.Equal(0.2, meter.StepTime, 1e-9);
        meter.Observe(0, 500, 8, TimeSpan.FromMilliseconds(500));
        Assert.Equal(1000, meter.PrefillRate, 1e-6);
        Assert.Equal(0.2, meter.StepTime, 1e-9);
    }
}
