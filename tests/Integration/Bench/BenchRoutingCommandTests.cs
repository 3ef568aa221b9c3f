using System.Text.Json;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Bench;

/// <summary><c>llmc bench routing</c> as a user runs it.</summary>
public sealed class BenchRoutingCommandTests : IDisposable
{
    private static readonly string Trace = RepositoryRoot.Combine("tests", "Integration", "Bench", "sample-trace.jsonl");

    private readonly TempDirectory _folder = new("routing");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task WritesWhatItPrints()
    {
        string json = _folder.Combine("routing.json");
        (int exitCode, string log) = await LlmcProcess.RunAsync(["bench", "routing", "--trace", Trace, "--prefill", "2", "--decode", "2", "--json", json]);
        Assert.True(exitCode == 0, log);
        Assert.Contains("2 prefill + 2 decode workers", log);
        Assert.Contains("400 requests", log);
        using JsonDocument figures = JsonDocument.Parse(await File.ReadAllTextAsync(json));
        double best = figures.RootElement.GetProperty("best_hit_rate").GetDouble();
        Assert.InRange(best, 0.01, 1);
        JsonElement policies = figures.RootElement.GetProperty("policies");
        Assert.Equal(
            ["cost", "round-robin", "least-loaded", "power-of-two", "prefix-affinity", "least-predicted-load"],
            policies.EnumerateObject().Select(policy => policy.Name));
        Assert.All(policies.EnumerateObject(), policy =>
        {
            Assert.InRange(policy.Value.GetProperty("hit_rate").GetDouble(), 0, best + 0.001);
            Assert.True(policy.Value.GetProperty("ttft_p99_ms").GetDouble() >= policy.Value.GetProperty("ttft_p50_ms").GetDouble());
            Assert.Equal(400, policy.Value.GetProperty("served").GetInt32() + policy.Value.GetProperty("rejected").GetInt32());
        });
        Assert.InRange(policies.GetProperty("cost").GetProperty("hit_rate").GetDouble(), 0.95 * best, best + 0.001);
    }

    [Fact]
    public async Task ComparesThePoliciesThatAreAskedFor()
    {
        string json = _folder.Combine("routing.json");
        (int exitCode, string log) = await LlmcProcess.RunAsync(
            ["bench", "routing", "--trace", Trace, "--requests", "50", "--policies", "cost", "least-loaded", "--json", json]);
        Assert.True(exitCode == 0, log);
        using JsonDocument figures = JsonDocument.Parse(await File.ReadAllTextAsync(json));
        Assert.Equal(50, figures.RootElement.GetProperty("requests").GetInt32());
        Assert.Equal(["cost", "least-loaded"], figures.RootElement.GetProperty("policies").EnumerateObject().Select(policy => policy.Name));
    }

    [Fact]
    public async Task RefusesWhatIsWrongInOneLine()
    {
        await RefusesAsync("--trace", "bench", "routing");
        await RefusesAsync("no-such-file.jsonl", "bench", "routing", "--trace", "no-such-file.jsonl");
        await RefusesAsync("Decode is 0; expected at least 1, as there are prefill workers", "bench", "routing", "--trace", Trace, "--decode", "0");
        await RefusesAsync("Policies is best; expected some of cost, round-robin", "bench", "routing", "--trace", Trace, "--policies", "best");
    }

    private static async Task RefusesAsync(string expected, params string[] arguments)
    {
        (int exitCode, string log) = await LlmcProcess.RunAsync(arguments);
        Assert.Equal(1, exitCode);
        Assert.Contains(expected, log);
        Assert.Single(log.Trim().Split('\n'));
    }
}
