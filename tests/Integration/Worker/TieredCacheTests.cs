using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Worker;

/// <summary>
/// A cluster in a process of its own whose pools hold one prompt and little more: a prefix that was evicted comes back from host memory, and after a
/// restart from the disk, as clients see it in the usage.
/// </summary>
public sealed class TieredCacheTests : IDisposable
{
    private const int PromptTokens = 100;
    private const int BlockTokens = 16;

    // All full blocks but for the last token, which is computed for its logits.
    private const int Reusable = (PromptTokens - 1) / BlockTokens * BlockTokens;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private readonly TempDirectory _directory = new("tiered");

    public TieredCacheTests() => RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, seed: 3, Model);

    private string Model => _directory.Combine("tiny");

    private string Disk => _directory.Combine("kv");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("--mixed", "1")]
    [InlineData("--prefill", "1")]
    public async Task A_prefix_comes_back_from_host_memory_and_after_a_restart_from_the_disk(params string[] workers)
    {
        string first;
        await using (LlmcProcess cluster = Start(workers))
        {
            using HttpClient client = await ClientAsync(cluster);
            (first, int cached) = await AskAsync(client, seed: 1);
            Assert.Equal(0, cached);

            // Others take all the blocks.
            for (int seed = 2; seed < 6; seed++)
            {
                Assert.Equal(0, (await AskAsync(client, seed)).Cached);
            }

            Assert.Equal((first, Reusable), await AskAsync(client, seed: 1));
            Assert.True(await SumAsync(client, "host", "promotions") >= Reusable / BlockTokens);
            Assert.Equal(0, await SumAsync(client, "host", "dropped"));
            await StopAsync(cluster);
        }

        Assert.NotEmpty(Directory.GetFiles(Disk, "*.kv", SearchOption.AllDirectories));
        await using (LlmcProcess cluster = Start(workers))
        {
            using HttpClient client = await ClientAsync(cluster);
            Assert.Equal((first, Reusable), await AskAsync(client, seed: 1));
            Assert.True(await SumAsync(client, "disk", "hits") >= Reusable / BlockTokens);
            Assert.Equal(0, await SumAsync(client, "disk", "corrupt"));
            await StopAsync(cluster);
        }

        // A damaged file costs time, and no token.
        foreach (string file in Directory.GetFiles(Disk, "*.kv", SearchOption.AllDirectories))
        {
            byte[] bytes = await File.ReadAllBytesAsync(file);
            bytes[^1] ^= 1;
            await File.WriteAllBytesAsync(file, bytes);
        }

        await using (LlmcProcess cluster = Start(workers))
        {
            using HttpClient client = await ClientAsync(cluster);
            Assert.Equal((first, 0), await AskAsync(client, seed: 1));
            Assert.True(await SumAsync(client, "disk", "corrupt") > 0);
            await StopAsync(cluster);
        }
    }

    private static async Task StopAsync(LlmcProcess cluster)
    {
        cluster.Signal(PosixSignal.SIGTERM);
        Assert.Equal(0, await cluster.WaitForExitAsync(Deadline));
    }

    private static async Task<HttpClient> ClientAsync(LlmcProcess cluster) => new() { BaseAddress = await cluster.WaitForReadyAsync(Deadline), Timeout = Deadline };

    private static async Task<(string Answer, int Cached)> AskAsync(HttpClient client, int seed)
    {
        var random = new Random(seed);
        var request = new JsonObject
        {
            ["model"] = "tiny",
            ["prompt"] = new JsonArray([.. Enumerable.Range(0, PromptTokens).Select(_ => JsonValue.Create(random.Next(3, 250)))]),
            ["temperature"] = 0,
            ["max_tokens"] = 4,
            ["ignore_eos"] = true,
        };
        using HttpResponseMessage response = await client.PostAsJsonAsync("/v1/completions", request);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {body}");
        JsonNode answer = JsonNode.Parse(body)!;
        return (answer["choices"]![0]!["text"]!.GetValue<string>(), answer["usage"]!["prompt_tokens_details"]!["cached_tokens"]!.GetValue<int>());
    }

    /// <summary>A count of a tier, of all workers together.</summary>
    private static async Task<long> SumAsync(HttpClient client, string tier, string count)
    {
        JsonNode status = JsonNode.Parse(await client.GetStringAsync("/internal/workers"))!;
        return status["workers"]!.AsArray().Sum(worker => worker!["live"]!["kv_tiers"]![tier]![count]!.GetValue<long>());
    }

    private LlmcProcess Start(string[] workers) => new(
        ["up", "--model", Model, "--port", "0", "--kv-blocks", "9", "--kv-host-mib", "1", "--kv-disk", Disk, "--kv-disk-mib", "8", "--placement", "round-robin", .. workers]);
}
