using System.Globalization;
using LlmCluster.Bench.Lengths;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class LengthsBenchmarkTests : IDisposable
{
    private readonly TempDirectory _folder = new("lengths");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Quantiles_of_a_random_trace_are_covered_as_they_say()
    {
        // Short prompts have short outputs, long ones long outputs: what a single histogram can't tell.
        var random = new Random(9);
        LengthsBenchmarkResult result = await RunAsync(4000, i =>
        {
            bool isLong = random.Next(2) == 0;
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            return (i * 1000, isLong ? 5000 : 100, (int)Math.Ceiling((isLong ? 1000 : 50) * Math.Exp(0.3 * normal)));
        });

        Assert.InRange(result.Coverage50, 0.47, 0.54);
        Assert.InRange(result.Coverage90, 0.87, 0.94);
        Assert.InRange(result.Arrival.Coverage10, 0.07, 0.14);
        Assert.InRange(result.After!.Coverage50, 0.47, 0.55);
        Assert.InRange(result.PinballRatio, 0, 0.3);
        Assert.InRange(result.Arrival.PinballRatioGlobal, 0, 0.5);
        Assert.True(result.After.Outputs < result.Arrival.Outputs);
    }

    [Fact]
    public async Task Outputs_are_learnt_from_when_they_end_and_not_before()
    {
        // One every second; 10 tokens take 1000 + 9 * 100 = 1900 ms: the third one sees the first one's end, at most two are in flight.
        LengthsBenchmarkResult result = await RunAsync(5, i => (i * 1000, 10, 10), new LengthsBenchmarkOptions { Trace = "-", TimePerToken = 100, After = 4 });
        Assert.Equal((5, 2, 3), (result.Requests, result.MostInFlight, result.Arrival.Outputs));

        // The first one's half way (1400 ms) comes before any end, the second one's (2400 ms) after it.
        Assert.Equal((4, 4), (result.Half!.Outputs, result.After!.Outputs));
        Assert.Equal(1, result.Coverage99);
    }

    [Fact]
    public async Task A_trace_of_which_no_output_ends_in_time_says_nothing()
    {
        InvalidOperationException e = await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(3, i => (i, 10, 10)));
        Assert.Contains("none ends before the last one begins", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1, 30, 128, "TimeToFirstToken is -1")]
    [InlineData(0, 60_001, 128, "TimePerToken is 60001")]
    [InlineData(0, 30, 0, "After is 0")]
    public void Options_are_checked(int first, int each, int after, string expected)
    {
        var options = new LengthsBenchmarkOptions { Trace = "t", TimeToFirstToken = first, TimePerToken = each, After = after };
        Assert.Contains(expected, Assert.Throws<ArgumentException>(options.Validate).Message, StringComparison.Ordinal);
    }

    private Task<LengthsBenchmarkResult> RunAsync(int count, Func<int, (int Time, int Input, int Output)> request, LengthsBenchmarkOptions? options = null)
    {
        string lines = string.Join('\n', Enumerable.Range(0, count).Select(i =>
        {
            (int time, int input, int output) = request(i);
            return string.Create(CultureInfo.InvariantCulture, $$"""{"timestamp": {{time}}, "input_length": {{input}}, "output_length": {{output}}, "hash_ids": [0]}""");
        }));
        options ??= new LengthsBenchmarkOptions { Trace = "-" };
        return LengthsBenchmark.RunAsync(options with { Trace = _folder.Write("trace.jsonl", lines) }, TestContext.Current.CancellationToken);
    }
}
