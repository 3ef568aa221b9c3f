using LlmCluster.CommandLine.Up;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class ReadyMessageTests
{
    [Fact]
    public void TellsTheAddressFirstThenHowToTalkToIt()
    {
        string[] lines = [.. ReadyMessage.Lines(new Uri("http://0.0.0.0:8080/"), Options("my-model"), "in one process")];
        Assert.Equal("Ready: http://127.0.0.1:8080", lines[0]);
        Assert.Equal("Model my-model on 1 prefill, 1 decode workers, in one process. Ctrl-C ends it. Try:", lines[1]);
        Assert.StartsWith("  curl http://127.0.0.1:8080/v1/chat/completions ", lines[2]);
        Assert.Contains("""{"model": "my-model", "messages":""", lines[2]);
    }

    [Fact]
    public void ANameIsQuotedForTheShellAndForJson()
    {
        string line = ReadyMessage.Lines(new Uri("http://127.0.0.1:1"), Options("it's \"x\""), "").Last();
        Assert.DoesNotContain("it's", line);
        Assert.DoesNotContain("\"x\"", line);
    }

    private static UpOptions Options(string name) => new()
    {
        ModelPath = "/m",
        ModelName = name,
        Host = "0.0.0.0",
        Port = 8080,
        Workers = new WorkerCounts(1, 1, 0),
        Threads = new ThreadShares(1, null),
        StartTimeout = TimeSpan.FromSeconds(1),
    };
}
