using System.Diagnostics;
using System.IO.Pipelines;
using System.Net;
using System.Runtime;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Inference.Sampling;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Protocol.V1;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlmCluster.Bench.Kv;

/// <summary>
/// Measures KV transfer over gRPC, from one pool to another through the sender and the receiver that workers use, beside
/// a bare HTTP/2 POST of the same bytes of the same pool, written from there in pieces of the same lengths, through the
/// same server and the same kind of client; its receiver looks at nothing. Both sides are in this process and talk
/// over loopback; rounds of the two alternate, so that both see the same machine.
/// </summary>
public sealed class KvBenchmark : IAsyncDisposable
{
    private const string BarePath = "/bare";
    private const double SettledShare = 0.002;
    private static readonly TimeSpan LongestWarmUp = TimeSpan.FromMinutes(1);
    private static readonly ModelConfig Model = ModelPreset.Small88M.Config(ModelArchitecture.Llama) with { MaxPositions = 1 << 20 };

    private readonly KvBenchmarkOptions _options;
    private readonly PoolEngine _prefill;
    private readonly PoolEngine _decode;
    private readonly KvReceiver _receiver;
    private readonly GrpcKvTransport _transport = new();
    private readonly HttpClient _http;
    private readonly KvSender _sender;
    private readonly KvSenderOptions _senderOptions;
    private readonly WebApplication _server;
    private readonly ReadOnlyMemory<byte>[] _frames;
    private Uri _address = new("http://127.0.0.1");
    private int _sequences;

    private KvBenchmark(KvBenchmarkOptions options)
    {
        _options = options;
        _senderOptions = new KvSenderOptions { MaxFrameBytes = options.FrameBytes };
        int blocks = options.Layout.BlocksFor(options.PromptTokens) * options.Parallel;
        _prefill = new PoolEngine(options.Layout, Model, blocks, options.ChunkTokens);
        _decode = new PoolEngine(options.Layout, Model, blocks, options.ChunkTokens);
        _prefill.Fill();
        _receiver = new KvReceiver(_decode, new KvReceiverOptions());
        _sender = new KvSender(_prefill, _transport, _senderOptions);
        _http = new HttpClient(GrpcKvTransport.CreateHandler());
        _frames = PlanFrames();
        _server = CreateServer();
    }

    /// <summary>Runs the benchmark.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static async Task<KvBenchmarkResult> RunAsync(KvBenchmarkOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        options.Validate();
        var benchmark = new KvBenchmark(options);
        await using (benchmark.ConfigureAwait(false))
        {
            return await benchmark.MeasureAsync(progress, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _transport.DisposeAsync().ConfigureAwait(false);
        await _receiver.DisposeAsync().ConfigureAwait(false);
        await _server.StopAsync().ConfigureAwait(false);
        await _server.DisposeAsync().ConfigureAwait(false);
        await _prefill.DisposeAsync().ConfigureAwait(false);
        await _decode.DisposeAsync().ConfigureAwait(false);
    }

    private async Task<KvBenchmarkResult> MeasureAsync(IProgress<string> progress, CancellationToken cancellationToken)
    {
        await _server.StartAsync(cancellationToken).ConfigureAwait(false);
        _address = new Uri(_server.Urls.First());
        var grpc = new List<Measurement>();
        var http2 = new List<Measurement>();
        progress.Report("warming up");
        await WarmUpAsync(cancellationToken).ConfigureAwait(false);
        for (int round = 1; round <= _options.Rounds; round++)
        {
            progress.Report($"round {round} of {_options.Rounds}");
            grpc.Add(await MeasureRoundAsync(TransferAsync, cancellationToken).ConfigureAwait(false));
            http2.Add(await MeasureRoundAsync(PostAsync, cancellationToken).ConfigureAwait(false));
        }

        return new KvBenchmarkResult
        {
            Layout = _options.Layout.Fingerprint,
            PromptTokens = _options.PromptTokens,
            PromptBytes = _options.PromptBytes,
            Prompts = _options.Prompts,
            Parallel = _options.Parallel,
            FrameBytes = _options.FrameBytes,
            WindowBytes = _options.WindowBytes,
            GrpcRounds = [.. grpc.Select(round => round.Rate)],
            Http2Rounds = [.. http2.Select(round => round.Rate)],
            GrpcCpu = Math.Round(grpc.Average(round => round.CpuPerByte), 3),
            Http2Cpu = Math.Round(http2.Average(round => round.CpuPerByte), 3),
        };
    }

    // Until code is compiled at its best tier: the compiler would take the processor from what is measured.
    private async Task WarmUpAsync(CancellationToken cancellationToken)
    {
        long start = Stopwatch.GetTimestamp();
        bool settled = false;
        while (Stopwatch.GetElapsedTime(start) < _options.WarmUp || (!settled && Stopwatch.GetElapsedTime(start) < LongestWarmUp))
        {
            TimeSpan compiling = JitInfo.GetCompilationTime();
            long round = Stopwatch.GetTimestamp();
            await MeasureRoundAsync(TransferAsync, cancellationToken).ConfigureAwait(false);
            await MeasureRoundAsync(PostAsync, cancellationToken).ConfigureAwait(false);
            settled = JitInfo.GetCompilationTime() - compiling < SettledShare * Stopwatch.GetElapsedTime(round);
        }
    }

    private async Task<Measurement> MeasureRoundAsync(Func<CancellationToken, Task> transfer, CancellationToken cancellationToken)
    {
        int left = _options.Prompts;
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, _options.Parallel).Select(_ => Task.Run(RunAsync, cancellationToken))).ConfigureAwait(false);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double gigabytes = _options.Prompts * _options.PromptBytes / 1e9;
        return new Measurement(gigabytes / seconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds / gigabytes);

        async Task RunAsync()
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                await transfer(cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task TransferAsync(CancellationToken cancellationToken)
    {
        int number = Interlocked.Increment(ref _sequences);
        var request = new GenerationRequest
        {
            Id = "",
            Prompt = new int[_options.PromptTokens],
            Sampling = new SamplingOptions(),
            MaxTokens = 1,

            // Another tenant each time, so that nothing is ever found in a cache.
            CacheSalt = number.ToString(),
        };
        var id = new SequenceId { RequestId = $"benchmark-{number}", Epoch = 1 };
        KvSendResult sent = await _sender.SendAsync(SequenceMapping.ToPrefillRequest(request, id, _address), cancellationToken).ConfigureAwait(false);
        if (sent.SentBytes != _options.PromptBytes)
        {
            throw new InvalidOperationException($"{sent.SentBytes} bytes were sent instead of {_options.PromptBytes}.");
        }

        IGeneration generation = await _receiver.ReceiveAsync(id.RequestId, 0, cancellationToken).ConfigureAwait(false);
        await generation.DisposeAsync().ConfigureAwait(false);
    }

    private async Task PostAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_address, BarePath))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new FrameContent(_frames),
        };
        using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        response.EnsureSuccessStatusCode();
        long received = long.Parse(await response.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
        if (received != _options.PromptBytes)
        {
            throw new InvalidOperationException($"{received} bytes were received instead of {_options.PromptBytes}.");
        }
    }

    // The payloads of the messages that the sender makes of a prompt that is ready at once.
    private ReadOnlyMemory<byte>[] PlanFrames()
    {
        var planner = new FramePlanner(_options.Layout.LayerBlockBytes, _senderOptions.MaxFrameBytes);
        for (int layer = 0; layer < _options.Layout.Layers; layer++)
        {
            planner.Add(new BlockRun(layer, 0, _options.Layout.BlocksFor(_options.PromptTokens)));
        }

        var runs = new List<BlockRun>();
        planner.Take(runs);
        return [.. runs.Select(run => _prefill.Bytes(run.Layer, run.FirstBlock, run.Count))];
    }

    private WebApplication CreateServer()
    {
        WebApplication app = TransferServer.Create(_receiver, _options.WindowBytes);
        app.MapPost(BarePath, DiscardAsync);
        return app;
    }

    private static async Task DiscardAsync(HttpContext context)
    {
        long received = 0;
        PipeReader body = context.Request.BodyReader;
        while (true)
        {
            ReadResult read = await body.ReadAsync(context.RequestAborted).ConfigureAwait(false);
            received += read.Buffer.Length;
            body.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                break;
            }
        }

        await context.Response.WriteAsync(received.ToString(), context.RequestAborted).ConfigureAwait(false);
    }

    /// <summary>A round's rate in 10⁹ bytes per second, and its processor seconds for 10⁹ bytes.</summary>
    private readonly record struct Measurement(double Rate, double CpuPerByte);
}
