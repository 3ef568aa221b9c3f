using LlmCluster.CommandLine.Hosting;
using LlmCluster.CommandLine.Up;
using LlmCluster.Inference.Cpu.Threading;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class ThreadSharesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(64)]
    public void By_default_workers_have_twice_their_share_of_threads_but_no_more_than_processors(int workers)
    {
        ThreadShares shares = ThreadShares.Resolve(workers, null, Settings());
        Assert.InRange(shares.PerWorker, 1, UsableProcessors.Count);
        Assert.InRange(shares.PerWorker * workers, 1, Math.Max(2 * UsableProcessors.Count, workers));
        Assert.True(workers > 2 || shares.PerWorker == UsableProcessors.Count);
        Assert.Null(shares.Affinity(0));
    }

    [Fact]
    public void Options_come_before_settings_and_settings_before_the_default()
    {
        Assert.Equal(3, ThreadShares.Resolve(2, 3, Settings(threads: "5")).PerWorker);
        Assert.Equal(5, ThreadShares.Resolve(2, null, Settings(threads: "5")).PerWorker);
    }

    [Fact]
    public void Processors_are_shared_out()
    {
        ThreadShares shares = ThreadShares.Resolve(2, null, Settings(affinity: "0-3,9"));
        Assert.Equal((2, "0,1", "2,3"), (shares.PerWorker, shares.Affinity(0), shares.Affinity(1)));
        shares = ThreadShares.Resolve(3, 1, Settings(affinity: "7-9"));
        Assert.Equal(["7", "8", "9"], Enumerable.Range(0, 3).Select(shares.Affinity));
    }

    [Theory]
    [InlineData(3, null, "0-1", "--affinity 0-1 lists 2 processors, too few for 3 workers with 1 threads each")]
    [InlineData(2, 2, "0-2", "lists 3 processors, too few for 2 workers with 2 threads each")]
    [InlineData(2, null, "0,x", "--affinity (Worker:Cpu:Affinity): '0,x' is no list of processors: 'x' is neither")]
    public void What_does_not_fit_is_said(int workers, int? threads, string affinity, string expected) =>
        Assert.Contains(expected, Assert.Throws<CommandException>(() => ThreadShares.Resolve(workers, threads, Settings(affinity: affinity))).Message);

    [Theory]
    [InlineData("0")]
    [InlineData("many")]
    public void A_setting_that_is_no_number_of_threads_is_named(string threads) => Assert.Contains(
        $"Worker:Cpu:Threads is '{threads}'", Assert.Throws<CommandException>(() => ThreadShares.Resolve(1, null, Settings(threads))).Message);

    private static IConfiguration Settings(string? threads = null, string? affinity = null) => new ConfigurationBuilder()
        .AddInMemoryCollection(new Dictionary<string, string?> { ["Worker:Cpu:Threads"] = threads, ["Worker:Cpu:Affinity"] = affinity })
        .Build();
}
