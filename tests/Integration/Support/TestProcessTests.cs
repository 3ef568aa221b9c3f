using System.Runtime.InteropServices;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Support;

public sealed class TestProcessTests
{
    [Fact]
    public async Task KeepsOutputAndExitCode()
    {
        await using var process = new TestProcess("sh", ["-c", "echo out; echo err >&2; exit 7"]);
        Assert.Equal(7, await process.WaitForExitAsync());
        Assert.Contains("out", process.Lines);
        Assert.Contains("! err", process.Lines);
    }

    [Fact]
    public async Task WaitsForALine()
    {
        await using var process = new TestProcess("sh", ["-c", "read x; echo got $x; read y"]);
        Task<string> line = process.WaitForLineAsync(text => text.StartsWith("got", StringComparison.Ordinal), "what it read");
        await process.StandardInput.WriteLineAsync("7");
        await process.StandardInput.FlushAsync();
        Assert.Equal("got 7", await line);
        Assert.Equal("got 7", await process.WaitForLineAsync(text => text.Contains('7'), "it again"));
    }

    [Fact]
    public async Task TellsWhatAProcessWroteThatEndedTooEarly()
    {
        await using var process = new TestProcess("sh", ["-c", "echo no luck; exit 3"]);
        var error = await Assert.ThrowsAsync<InvalidOperationException>(
            () => process.WaitForLineAsync(text => text == "never", "'never'"));
        Assert.Contains("no luck", error.Message);
        Assert.Contains("ended before it wrote 'never'", error.Message);
    }

    [Fact]
    public async Task GivesUpAtTheDeadline()
    {
        await using var process = new TestProcess("sleep", ["60"]);
        var error = await Assert.ThrowsAsync<TimeoutException>(
            () => process.WaitForLineAsync(_ => true, "anything", TimeSpan.FromMilliseconds(50)));
        Assert.Contains("still running", error.Message);
    }

    [Fact]
    public async Task SendsSignals()
    {
        await using var process = new TestProcess("sh", ["-c", "trap 'echo term; exit 5' TERM; echo set; while :; do sleep 0.01; done"]);
        await process.WaitForLineAsync(text => text == "set", "'set'");
        process.Signal(PosixSignal.SIGTERM);
        Assert.Equal(5, await process.WaitForExitAsync());
        Assert.Contains("term", process.Lines);
    }

    [Fact]
    public async Task DisposingEndsTheProcess()
    {
        var process = new TestProcess("sleep", ["60"]);
        int id = process.Id;
        await process.DisposeAsync();
        Assert.False(Directory.Exists($"/proc/{id}"));
    }
}
