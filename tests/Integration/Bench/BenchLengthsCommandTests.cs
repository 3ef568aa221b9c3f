using System.Text.Json;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Bench;

/// <summary><c>llmc bench lengths</c> as a user runs it.</summary>
public sealed class BenchLengthsCommandTests : IDisposable
{
    private readonly TempDirectory _folder = new("lengths");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WritesWhatItPrints()
    {
        string trace = RepositoryRoot.Combine("tests", "Integration", "Bench", "sample-trace.jsonl");
        string json = _folder.Combine("lengths.json");
        (int exitCode, string log) = await LlmcProcess.RunAsync(["bench", "lengths", "--trace", trace, "--json", json]);
        Assert.True(exitCode == 0, log);
        Assert.Contains("400 requests", log);
        using JsonDocument figures = JsonDocument.Parse(await File.ReadAllTextAsync(json));
        Assert.InRange(figures.RootElement.GetProperty("coverage_50").GetDouble(), 0.4, 0.6);
        Assert.InRange(figures.RootElement.GetProperty("coverage_90").GetDouble(), 0.85, 0.97);
        Assert.InRange(figures.RootElement.GetProperty("pinball_ratio").GetDouble(), 0.1, 1);

        Assert.True(figures.RootElement.GetProperty("half").GetProperty("pinball").GetDouble() > 0);
    }

    [Fact]
    public async Task RefusesWhatIsWrongInOneLine()
    {
        await RefusesAsync("--trace", "bench", "lengths");
        await RefusesAsync("no-such-file.jsonl", "bench", "lengths", "--trace", "no-such-file.jsonl");
        string wrong = _folder.Write("wrong.jsonl", """{"timestamp": 0, "input_length": 1, "output_length": -3, "hash_ids": []}""");
        await RefusesAsync("wrong.jsonl, line 1: 'output_length' is -3; expected an integer from 1", "bench", "lengths", "--trace", wrong);
        await RefusesAsync("TimePerToken is -1; expected 0 to 60000 milliseconds", "bench", "lengths", "--trace", wrong, "--tpot", "-1");
    }

    private static async Task RefusesAsync(string expected, params string[] arguments)
    {
        (int exitCode, string log) = await LlmcProcess.RunAsync(arguments);
        Assert.Equal(1, exitCode);
        Assert.Contains(expected, log);
        Assert.Single(log.Trim().Split('\n'));
    }
}
