using System.Net;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Up;

/// <summary><c>llmc gateway</c> and <c>llmc worker</c>, started one by one as pods are.</summary>
public sealed class ServiceCommandTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task AGatewayGetsReadyWithItsWorkersAndEachEndsWhenAsked()
    {
        using TempDirectory model = await RandomModelAsync();
        await using RedisServer redis = await RedisServer.StartAsync();
        string[] shared = ["--model", model.Path, "--redis", redis.Url, "--cluster", "pods", "--served-model-name", "m"];
        await using var gateway = new LlmcProcess(["gateway", "--port", "0", .. shared]);
        var address = new Uri((await gateway.WaitForLineAsync(
            line => line.StartsWith("Listening: ", StringComparison.Ordinal), "'Listening: ...'", Deadline))["Listening: ".Length..]);
        using var client = new HttpClient { BaseAddress = address, Timeout = Deadline };
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await client.GetAsync("/ready")).StatusCode);

        // Settings by variable instead of option, as in a pod's manifest.
        await using var prefill = new LlmcProcess(
            ["worker", .. shared], environment: new Dictionary<string, string?> { ["LLMC__Worker__Role"] = "prefill" });
        await using var decode = new LlmcProcess(["worker", "--role", "decode", "--id", "the-decoder", .. shared]);
        await prefill.WaitForReadyAsync(Deadline);
        await decode.WaitForReadyAsync(Deadline);
        await gateway.WaitForReadyAsync(Deadline);

        using HttpResponseMessage response = await client.PostAsJsonAsync(
            "/v1/completions", new JsonObject { ["model"] = "m", ["prompt"] = "Hello", ["max_tokens"] = 3, ["ignore_eos"] = true });
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        Assert.Contains("the-decoder", await client.GetStringAsync("/internal/workers"));

        // A worker that ends leaves the cluster at once, not when its lease does.
        prefill.Signal(PosixSignal.SIGTERM);
        Assert.Equal(0, await prefill.WaitForExitAsync(Deadline));
        await Eventually.TrueAsync(
            async () => (await client.GetAsync("/ready")).StatusCode == HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(5));

        decode.Signal(PosixSignal.SIGINT);
        gateway.Signal(PosixSignal.SIGTERM);
        Assert.Equal(0, await decode.WaitForExitAsync(Deadline));
        Assert.Equal(0, await gateway.WaitForExitAsync(Deadline));
    }

    [Theory]
    [InlineData("llmc worker: name the model's folder with --model DIR (or LLMC__Worker__ModelPath).", "worker")]
    [InlineData("llmc worker: name the Redis that the cluster shares with --redis URL (or LLMC__Redis__Url).", "worker", "--model", "/tmp")]
    [InlineData("llmc gateway: name the model's folder with --model DIR (or LLMC__Gateway__ModelPath).", "gateway")]
    [InlineData("llmc gateway: name the Redis that the cluster shares with --redis URL (or LLMC__Redis__Url).", "gateway", "--model", "/tmp")]
    [InlineData("llmc worker: Worker:Lease is '00:00:00'", "worker", "--model", "/tmp", "--set", "Worker:Lease=00:00:00")]
    [InlineData("llmc worker: Worker:Tiers:HostMemoryMiB is '0'; expected at least 1 with Worker:Tiers:DiskPath", "worker", "--model", "/tmp", "--kv-disk", "/tmp/kv")]
    [InlineData("llmc worker: Argument 'chef' not recognized.", "worker", "--role", "chef")]
    [InlineData("llmc gateway: Argument 'best' not recognized.", "gateway", "--placement", "best")]
    [InlineData("llmc gateway: Gateway:Placement is 'best'; expected one of cost, round-robin, least-loaded, power-of-two, prefix-affinity, least-predicted-load.", "gateway", "--model", "/tmp", "--set", "Gateway:Placement=best")]
    [InlineData("llmc worker: --device cuda is not available in this build", "worker", "--device", "cuda")]
    [InlineData("llmc worker: Worker:Cpu: CpuOptions.Affinity: '0-' is no list of processors", "worker", "--model", "/tmp", "--affinity", "0-")]
    [InlineData("but this process may not use 8000; it may use", "worker", "--model", "/tmp", "--affinity", "8000")]
    [InlineData("llmc worker: --http-port is -1; it must lie between 0 and 65535", "worker", "--http-port", "-1")]
    public async Task WrongOptionsAreNamedInOneLine(string message, params string[] arguments)
    {
        (int exitCode, string log) = await LlmcProcess.RunAsync(arguments, Deadline);
        Assert.True(exitCode == 1, $"Exit code {exitCode}:\n{log}");
        Assert.Contains(message, log);
        Assert.Single(log.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static async Task<TempDirectory> RandomModelAsync()
    {
        var directory = new TempDirectory("model");
        (int exitCode, string log) = await LlmcProcess.RunAsync(
            ["model", "random", "--arch", "qwen3", "--preset", "tiny", "--seed", "3", "--out", directory.Path], Deadline);
        Assert.True(exitCode == 0, log);
        return directory;
    }
}
