using System.Diagnostics;
using LlmCluster.CommandLine.Up;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Up;

public sealed class ChildGroupTests
{
    private const string Serve = "echo 'Ready: http://127.0.0.1:1234/'; echo serving; cat > /dev/null; echo bye";
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(20);
    private static readonly Dictionary<string, string> NoVariables = [];

    [Fact]
    public async Task ServicesGetReadyAndEndInOrderWhenAsked()
    {
        using var log = new StringWriter();
        await using var group = new ChildGroup(TextWriter.Synchronized(log), Grace);
        ChildProcess worker = Start(group, "worker", Serve);
        ChildProcess gateway = Start(group, "gateway", Serve);
        await group.WaitForReadyAsync(Grace, CancellationToken.None);
        Assert.Equal(new Uri("http://127.0.0.1:1234/"), await worker.Ready);

        Assert.Empty(await group.StopAsync(gateway));
        Assert.Equal(0, await worker.Exited);
        Assert.Equal(0, await gateway.Exited);
        string[] lines = log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains("worker | serving", lines);
        Assert.DoesNotContain(lines, line => line.Contains("Ready", StringComparison.Ordinal));
        Assert.Equal(["gateway | bye", "worker | bye"], lines.Where(line => line.EndsWith("bye", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task VariablesReachTheService()
    {
        using var log = new StringWriter();
        await using var group = new ChildGroup(TextWriter.Synchronized(log), Grace);
        ChildProcess child = group.Start("child", "sh", ["-c", "echo got $SECRET"], new Dictionary<string, string> { ["SECRET"] = "s3" });
        await child.Exited;
        Assert.Equal("child | got s3\n", log.ToString());
    }

    [Fact]
    public async Task AServiceThatEndsBeforeItIsReadyIsNamed()
    {
        await using var group = new ChildGroup(TextWriter.Null, Grace);
        Start(group, "worker", Serve);
        ChildProcess broken = Start(group, "broken", "exit 7");
        var error = await Assert.ThrowsAsync<ChildEndedException>(() => group.WaitForReadyAsync(Grace, CancellationToken.None));
        Assert.Equal($"broken (process {broken.Id}) ended unexpectedly: exit code 7; its log above says why.", error.Message);
    }

    [Fact]
    public async Task AServiceThatIsKilledLaterIsNamed()
    {
        await using var group = new ChildGroup(TextWriter.Null, Grace);
        Start(group, "stays", Serve);
        ChildProcess victim = Start(group, "victim", Serve);
        await group.WaitForReadyAsync(Grace, CancellationToken.None);
        Task watching = group.WaitForEndAsync(CancellationToken.None);
        Process.GetProcessById(victim.Id).Kill();
        var error = await Assert.ThrowsAsync<ChildEndedException>(() => watching.WaitAsync(Grace));
        Assert.Contains($"victim (process {victim.Id})", error.Message);
        Assert.Contains("killed by signal 9", error.Message);
    }

    [Fact]
    public async Task AServiceThatDoesNotGetReadyIsNamed()
    {
        await using var group = new ChildGroup(TextWriter.Null, Grace);
        Start(group, "ready", Serve);
        Start(group, "slow", "cat > /dev/null");
        var error = await Assert.ThrowsAsync<TimeoutException>(
            () => group.WaitForReadyAsync(TimeSpan.FromMilliseconds(500), CancellationToken.None));
        Assert.Contains("slow (process", error.Message);
    }

    [Fact]
    public async Task AServiceThatDoesNotEndIsKilled()
    {
        await using var group = new ChildGroup(TextWriter.Null, TimeSpan.FromMilliseconds(200));
        ChildProcess stubborn = Start(group, "stubborn", "echo 'Ready: http://127.0.0.1:1/'; while :; do sleep 1; done");
        await group.WaitForReadyAsync(Grace, CancellationToken.None);
        Assert.Equal(["stubborn"], await group.StopAsync());
        Assert.Equal(137, await stubborn.Exited);
    }

    [Fact]
    public async Task NothingIsLeftAfterDisposal()
    {
        var group = new ChildGroup(TextWriter.Null, Grace);
        ChildProcess child = Start(group, "child", "while :; do sleep 1; done");
        await group.DisposeAsync();
        await Eventually.TrueAsync(() => !Directory.Exists($"/proc/{child.Id}"));
    }

    [Fact]
    public async Task CancellationEndsTheWait()
    {
        await using var group = new ChildGroup(TextWriter.Null, Grace);
        Start(group, "slow", "cat > /dev/null");
        using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => group.WaitForReadyAsync(Grace, cancellation.Token));
    }

    private static ChildProcess Start(ChildGroup group, string name, string script) => group.Start(name, "sh", ["-c", script], NoVariables);
}
