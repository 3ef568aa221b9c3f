using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Up;

/// <summary><c>llmc up</c> as its user sees it: real processes, and what is left of them.</summary>
public sealed class UpTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    [Theory]
    [InlineData(PosixSignal.SIGINT)]
    [InlineData(PosixSignal.SIGTERM)]
    public async Task InOneProcessItServesAndEndsCleanly(PosixSignal signal)
    {
        (LlmcProcess up, Uri address) = await LlmcProcess.StartReadyAsync("up", "--port", "0");
        await using (up)
        {
            await AssertAnswersAsync(address);
            Assert.Empty(up.ChildIds());
            up.Signal(signal);
            Assert.Equal(0, await up.WaitForExitAsync(Deadline));
        }
    }

    [Fact]
    public async Task ItTellsHowToTalkToIt()
    {
        (LlmcProcess up, Uri address) = await LlmcProcess.StartReadyAsync("up", "--port", "0", "--mixed", "1", "--served-model-name", "named");
        await using (up)
        {
            string curl = await up.WaitForLineAsync(line => line.Contains("curl ", StringComparison.Ordinal), "a curl command");
            await using var shell = new TestProcess("sh", ["-c", curl.Replace("curl ", "curl -sS ", StringComparison.Ordinal)]);
            Assert.Equal(0, await shell.WaitForExitAsync(Deadline));
            JsonNode answer = JsonNode.Parse(shell.Log)!;
            Assert.Equal("named", answer["model"]!.GetValue<string>());
            Assert.NotNull(answer["choices"]![0]!["message"]);

            // A calm console: nothing but what the user asked for.
            Assert.DoesNotContain(up.Lines, line => line.StartsWith("! ", StringComparison.Ordinal));
            Assert.Equal(3, up.Lines.Count);
            Assert.StartsWith("Ready: http://127.0.0.1:", up.Lines[0]);
            Assert.Equal($"{address.GetLeftPart(UriPartial.Authority)}", up.Lines[0]["Ready: ".Length..]);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    public async Task WithRedisItServesFromSeparateProcessesAndEndsThemAll(int prefill, int decode)
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        (LlmcProcess up, Uri address) = await LlmcProcess.StartReadyAsync(
            "up", "--port", "0", "--redis", redis.Url, "--prefill", $"{prefill}", "--decode", $"{decode}");
        await using (up)
        {
            IReadOnlyList<int> children = up.ChildIds();
            Assert.Equal(prefill + decode + 1, children.Count);
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AssertAnswersAsync(address)));

            up.Signal(PosixSignal.SIGINT);
            Assert.Equal(0, await up.WaitForExitAsync(Deadline));
            Assert.All(children, id => Assert.False(ProcessTable.IsRunning(id)));
            Assert.DoesNotContain("unexpectedly", up.Log);
        }
    }

    [Fact]
    public async Task ChildrenEndWhenTheParentIsKilled()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        (LlmcProcess up, _) = await LlmcProcess.StartReadyAsync("up", "--port", "0", "--redis", redis.Url);
        IReadOnlyList<int> children;
        await using (up)
        {
            children = up.ChildIds();
            Assert.Equal(3, children.Count);
            Process.GetProcessById(up.Id).Kill();
            await Eventually.TrueAsync(() => children.All(id => !ProcessTable.IsRunning(id)), Deadline);
        }
    }

    [Fact]
    public async Task AChildThatDiesIsNamedAndEndsTheRest()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        (LlmcProcess up, _) = await LlmcProcess.StartReadyAsync("up", "--port", "0", "--redis", redis.Url);
        await using (up)
        {
            IReadOnlyList<int> children = up.ChildIds();
            int victim = children.Single(id => File.ReadAllText($"/proc/{id}/cmdline").Contains("prefill", StringComparison.Ordinal));
            Process.GetProcessById(victim).Kill();
            Assert.Equal(1, await up.WaitForExitAsync(Deadline));
            Assert.Contains($"llmc up: prefill-1 (process {victim}) ended unexpectedly: killed by signal 9", up.Log);
            Assert.All(children, id => Assert.False(ProcessTable.IsRunning(id)));
        }
    }

    [Fact]
    public async Task APasswordOfRedisStaysOutOfCommandLinesAndLogs()
    {
        await using RedisServer redis = await RedisServer.StartAsync(password: "pa55word");
        await using var up = new LlmcProcess(
            ["up", "--port", "0", "--log-level", "information"],
            environment: new Dictionary<string, string?> { ["LLMC__Redis__Url"] = redis.Url });
        await up.WaitForReadyAsync(Deadline);
        Assert.All(up.ChildIds(), id => Assert.DoesNotContain("pa55word", File.ReadAllText($"/proc/{id}/cmdline")));
        Assert.DoesNotContain("pa55word", up.Log);
    }

    [Fact]
    public async Task APortInUseIsNamed()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        await AssertFailsAsync($"llmc up: port {port} of 127.0.0.1 is in use; choose another with --port", "up", "--port", $"{port}");
    }

    [Fact]
    public async Task ARedisThatIsNotThereIsNamed()
    {
        int port = FreePort.Next();
        await AssertFailsAsync(
            $"llmc up: Redis at 127.0.0.1:{port} could not be reached within 1 s.",
            "up", "--port", "0", "--redis", $"127.0.0.1:{port}", "--set", "Redis:ConnectTimeout=00:00:01");
    }

    [Theory]
    [InlineData("llmc up: --device cuda is not available in this build", "--device", "cuda")]
    [InlineData("at least one prefill and one decode worker are needed", "--prefill", "0", "--decode", "0")]
    [InlineData("--model: there is no folder '/no/such/model'", "--model", "/no/such/model")]
    [InlineData("--port is 70000; it must lie between 0 and 65535", "--port", "70000")]
    [InlineData("--threads is 0; it must lie between 1 and 1024", "--threads", "0")]
    [InlineData("--affinity 0 lists 1 processors, too few for 2 workers with 1 threads each", "--affinity", "0")]
    [InlineData("'x' for option '--prefill'", "--prefill", "x")]
    [InlineData("its scheme is 'http'", "--redis", "http://127.0.0.1")]
    public async Task WrongOptionsAreNamed(string message, params string[] arguments) =>
        await AssertFailsAsync(message, ["up", .. arguments, .. arguments.Contains("--port") ? [] : (string[])["--port", "0"]]);

    [Fact]
    public async Task ABrokenCheckpointIsNamedOnce()
    {
        using var model = new TempDirectory("broken");
        model.Write("config.json", "{}");
        await AssertFailsAsync(model.Combine("config.json"), "up", "--port", "0", "--model", model.Path);
    }

    [Fact]
    public async Task HelpShowsDefaults()
    {
        (int exitCode, string help) = await LlmcProcess.RunAsync(["up", "--help"]);
        Assert.Equal(0, exitCode);
        Assert.Contains("[default: 8080]", help);
        Assert.Contains("--prefill", help);
        Assert.DoesNotContain("--supervised", help);

        (exitCode, string version) = await LlmcProcess.RunAsync(["--version"]);
        Assert.Equal(0, exitCode);
        Assert.StartsWith("0.1.0", version);
    }

    private static async Task AssertFailsAsync(string message, params string[] arguments)
    {
        (int exitCode, string log) = await LlmcProcess.RunAsync(arguments, Deadline);
        Assert.True(exitCode == 1, $"Exit code {exitCode}:\n{log}");
        Assert.Contains(message, log);
        Assert.DoesNotContain("   at ", log);
    }

    private static async Task AssertAnswersAsync(Uri address)
    {
        using var client = new HttpClient { BaseAddress = address, Timeout = Deadline };
        JsonNode models = JsonNode.Parse(await client.GetStringAsync("/v1/models"))!;
        string model = models["data"]![0]!["id"]!.GetValue<string>();
        var request = new JsonObject { ["model"] = model, ["prompt"] = "Hello", ["max_tokens"] = 5, ["temperature"] = 0, ["ignore_eos"] = true };
        using HttpResponseMessage response = await client.PostAsJsonAsync("/v1/completions", request);
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body);
        Assert.Equal(5, JsonNode.Parse(body)!["usage"]!["completion_tokens"]!.GetValue<int>());
    }
}
