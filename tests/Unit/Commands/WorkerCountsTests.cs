using LlmCluster.Cluster;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.CommandLine.Up;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class WorkerCountsTests
{
    [Theory]
    [InlineData(null, null, null, 1, 1, 0)]
    [InlineData(2, null, null, 2, 1, 0)]
    [InlineData(null, 3, null, 1, 3, 0)]
    [InlineData(null, null, 2, 0, 0, 2)]
    [InlineData(null, null, 0, 1, 1, 0)]
    [InlineData(0, 0, 1, 0, 0, 1)]
    [InlineData(1, null, 1, 1, 1, 1)]
    public void FillsInWhatWasNotGiven(int? prefill, int? decode, int? mixed, int expectedPrefill, int expectedDecode, int expectedMixed) =>
        Assert.Equal(new WorkerCounts(expectedPrefill, expectedDecode, expectedMixed), WorkerCounts.Resolve(prefill, decode, mixed));

    [Theory]
    [InlineData(0, null, null)]
    [InlineData(null, 0, null)]
    [InlineData(0, 0, 0)]
    [InlineData(4, 0, 0)]
    public void RefusesWhatCanServeNothing(int? prefill, int? decode, int? mixed)
    {
        var error = Assert.Throws<CommandException>(() => WorkerCounts.Resolve(prefill, decode, mixed));
        Assert.Contains("at least one prefill and one decode worker", error.Message);
    }

    [Fact]
    public void NamesEachWorker()
    {
        var counts = new WorkerCounts(1, 2, 1);
        Assert.Equal(
            [
                (WorkerRole.Decode, "decode-1"),
                (WorkerRole.Decode, "decode-2"),
                (WorkerRole.Mixed, "mixed-1"),
                (WorkerRole.Prefill, "prefill-1"),
            ],
            counts.All());
        Assert.Equal("1 prefill, 2 decode, 1 mixed", counts.ToString());
        Assert.Equal(4, counts.Total);
    }
}
