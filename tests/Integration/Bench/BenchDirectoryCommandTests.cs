using System.Text.Json;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Bench;

/// <summary><c>llmc bench directory</c> as a user runs it.</summary>
public sealed class BenchDirectoryCommandTests : IDisposable
{
    private readonly TempDirectory _folder = new("directory");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WritesWhatItPrintsAndLeavesNothing(bool ownServer)
    {
        await using RedisServer server = await RedisServer.StartAsync();
        string json = _folder.Combine("directory.json");
        string[] redis = ownServer ? [] : ["--redis", server.Url];
        (int exitCode, string log) = await LlmcProcess.RunAsync(
            ["bench", "directory", "--blocks", "20000", "--workers", "5", "--lookups", "20", "--json", json, .. redis]);
        Assert.True(exitCode == 0, log);
        Assert.Contains(" blocks, ", log);
        using JsonDocument figures = JsonDocument.Parse(await File.ReadAllTextAsync(json));
        Assert.InRange(figures.RootElement.GetProperty("blocks").GetInt32(), 20_000, 20_200);
        Assert.True(figures.RootElement.GetProperty("entries").GetInt64() > 20000);
        foreach (string name in new[] { "lookup_16_p50_ms", "lookup_256_p50_ms", "lookup_4096_p50_ms", "bytes_per_block" })
        {
            Assert.True(figures.RootElement.GetProperty(name).GetDouble() > 0, name);
        }

        Assert.Equal(["0"], await server.RunAsync("DBSIZE"));
    }

    [Theory]
    [InlineData("--blocks", "5", "Blocks is 5; expected 10000 to 20000000")]
    [InlineData("--workers", "0", "Workers is 0; expected 1 to 1000")]
    [InlineData("--batch", "5000", "Batch is 5000; expected 1 to 4096")]
    [InlineData("--redis", "ftp://somewhere", "its scheme is 'ftp'")]
    public async Task RefusesWhatIsWrongInOneLine(string option, string value, string expected)
    {
        (int exitCode, string log) = await LlmcProcess.RunAsync(["bench", "directory", option, value]);
        Assert.Equal(1, exitCode);
        Assert.Contains(expected, log);
        Assert.Single(log.Trim().Split('\n'));
    }
}
