using LlmCluster.Inference.Scheduling;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling;

public class StepPacerTests
{
    [Fact]
    public void Without_a_limit_prefill_takes_what_it_wants()
    {
        var pacer = new StepPacer(TimeSpan.Zero);
        pacer.Observe(1, 100, TimeSpan.FromSeconds(1));
        Assert.Equal(int.MaxValue, pacer.PrefillTokens);
    }

    [Fact]
    public void Nothing_measured_yet_means_a_short_chunk()
    {
        Assert.Equal(16, new StepPacer(TimeSpan.FromSeconds(1)).PrefillTokens);
    }

    [Fact]
    public void Chunks_fill_what_decoding_leaves_of_the_limit()
    {
        var pacer = new StepPacer(TimeSpan.FromMilliseconds(100));
        pacer.Observe(0, 500, TimeSpan.FromMilliseconds(500));
        pacer.Observe(4, 0, TimeSpan.FromMilliseconds(20));
        Assert.Equal(80, pacer.PrefillTokens);
    }

    [Fact]
    public void Prompts_get_on_when_decoding_takes_all_of_the_limit()
    {
        var pacer = new StepPacer(TimeSpan.FromMilliseconds(100));
        pacer.Observe(0, 500, TimeSpan.FromMilliseconds(500));
        pacer.Observe(4, 0, TimeSpan.FromMilliseconds(150));
        Assert.Equal(75, pacer.PrefillTokens);
        pacer = new StepPacer(TimeSpan.FromMilliseconds(1));
        pacer.Observe(0, 500, TimeSpan.FromMilliseconds(500));
        pacer.Observe(1, 0, TimeSpan.FromMilliseconds(0.2));
        Assert.Equal(StepPacer.SmallestChunk, pacer.PrefillTokens);
    }

    [Fact]
    public void Slower_steps_are_believed_sooner_than_faster_ones()
    {
        int After(double milliseconds)
        {
            var pacer = new StepPacer(TimeSpan.FromMilliseconds(1000));
            pacer.Observe(0, 100, TimeSpan.FromMilliseconds(100));
            pacer.Observe(0, 100, TimeSpan.FromMilliseconds(milliseconds));
            return pacer.PrefillTokens;
        }

        Assert.Equal(1000, After(100));
        Assert.InRange(After(300), 490, 510);
        Assert.InRange(After(50), 1040, 1060);
    }

    [Fact]
    public void What_decoding_takes_is_not_counted_as_prefill()
    {
        var pacer = new StepPacer(TimeSpan.FromMilliseconds(100));
        pacer.Observe(4, 0, TimeSpan.FromMilliseconds(20));
        pacer.Observe(4, 40, TimeSpan.FromMilliseconds(60));
        Assert.Equal(80, pacer.PrefillTokens);
    }
}
