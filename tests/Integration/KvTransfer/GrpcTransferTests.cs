using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Testing.KvTransfer;
using Xunit;

namespace LlmCluster.Tests.Integration.KvTransfer;

/// <summary>Sender and receiver over real HTTP/2 connections.</summary>
public sealed class GrpcTransferTests : IAsyncLifetime
{
    private static readonly int[] Prompt = [.. Enumerable.Range(1, 39)];

    private readonly ContentEngine _prefill = new(64);
    private readonly ContentEngine _decode = new(64);
    private readonly GrpcKvTransport _transport = new();
    private readonly KvSenderOptions _options = new();
    private KvServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await KvServer.StartAsync(_decode);

    public async ValueTask DisposeAsync()
    {
        await _transport.DisposeAsync();
        await _server.DisposeAsync();
        await AssertReleasedAsync(_prefill, _decode);
    }

    [Fact]
    public async Task Many_sequences_arrive_whole_at_the_same_time()
    {
        KvSender sender = Sender();
        await Parallel.ForAsync(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 5 }, async (i, cancellation) =>
        {
            // Some begin alike.
            int[] prompt = [.. Enumerable.Range(i % 7, 1 + (i % 41))];
            await sender.SendAsync(Sequence(prompt, $"r{i}"), cancellation);
            await using IGeneration generation = await _server.Receiver.ReceiveAsync($"r{i}", 0, cancellation);
            Assert.Equal(prompt, generation.Request.Prompt);
        });
        Assert.Equal(60, _decode.Adopted.Count);
    }

    [Fact]
    public async Task Cancelling_in_the_middle_releases_both_sides()
    {
        using var client = new CancellationTokenSource();
        _prefill.BeforeStep = (_, first, _) => first == 4 ? client.CancelAsync() : Task.CompletedTask;
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(Prompt), client.Token));
        Assert.Equal(KvTransferError.Cancelled, error.Error);
        await AssertReleasedAsync(_prefill, _decode);
        await Eventually.TrueAsync(() => _server.Receiver.LiveTransfers == 0);
    }

    [Fact]
    public async Task A_receiver_that_dies_in_the_middle_is_told_to_the_caller_at_once()
    {
        TaskCompletionSource gate = Gate(_prefill, atBlock: 4);
        Task<KvSendResult> sending = Sender().SendAsync(Sequence(Prompt), default);
        await Eventually.TrueAsync(() => _server.Receiver.LiveTransfers == 1);
        await _server.KillAsync();

        // The prompt is still being computed: the sender does not wait for it.
        var error = await Assert.ThrowsAsync<KvTransferException>(() => sending.WaitAsync(Eventually.DefaultDeadline));
        Assert.Equal(KvTransferError.Unavailable, error.Error);
        Assert.Contains(_server.Address.Authority, error.Message, StringComparison.Ordinal);
        Assert.False(gate.Task.IsCompleted);
        await AssertReleasedAsync(_prefill, _decode);
    }

    [Fact]
    public async Task A_receiver_that_is_not_there_is_told_to_the_caller()
    {
        PrefillRequest sequence = Sequence(Prompt);
        sequence.DecodeEndpoint = $"http://127.0.0.1:{FreePort.Next()}";
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(sequence, default));
        Assert.Equal(KvTransferError.Unavailable, error.Error);
    }

    [Fact]
    public async Task A_sender_that_vanishes_leaves_no_block_at_the_receiver()
    {
        Gate(_prefill, atBlock: 4);
        Task<KvSendResult> sending = Sender().SendAsync(Sequence(Prompt), default);
        await Eventually.TrueAsync(() => _decode.Pool.Counts.Referenced == 10);
        await _transport.DisposeAsync();
        await Eventually.TrueAsync(() => _server.Receiver.LiveTransfers == 0);
        await AssertReleasedAsync(_decode);
        await Assert.ThrowsAsync<KvTransferException>(() => sending.WaitAsync(Eventually.DefaultDeadline));
    }

    [Fact]
    public async Task A_retry_sends_only_what_is_missing()
    {
        TaskCompletionSource gate = Gate(_prefill, atBlock: 4);
        using var client = new CancellationTokenSource();
        Task<KvSendResult> sending = Sender().SendAsync(Sequence(Prompt), client.Token);
        BlockHash[] hashes = KvContent.Hashes(KvContent.Layout, Prompt);
        var counting = new CountingTransport(_transport);
        await Eventually.TrueAsync(() => _decode.Pool.Counts.Referenced == 10);

        // Four blocks are computed and on their way when the first attempt is superseded.
        await Eventually.TrueAsync(() => _prefill.Pool.CountPrefix(hashes) == 4);
        await Task.WhenAny(sending, Task.Delay(100));
        await client.CancelAsync();
        await Assert.ThrowsAsync<KvTransferException>(() => sending);
        await Eventually.TrueAsync(() => _server.Receiver.LiveTransfers == 0);
        int kept = _decode.Pool.CountPrefix(hashes);
        gate.SetResult();
        KvSendResult retry = await new KvSender(_prefill, counting, _options).SendAsync(Sequence(Prompt, epoch: 2), default);
        Assert.Equal(kept, retry.SkippedBlocks);
        Assert.Equal((10 - kept) * KvContent.Layout.BlockBytes, retry.SentBytes);
        Assert.Equal(retry.SentBytes, counting.Written);
        Assert.True(kept > 0, "the first attempt left nothing");
    }

    [Fact]
    public async Task A_slow_receiver_holds_the_sender_back()
    {
        // 64 KiB to a (layer, block), 48 MiB to the prompt: three windows.
        var layout = new KvLayout(Layers: 4, KvHeads: 16, HeadDim: 128, KvDtype.BF16, BlockSize: 8);
        await using var prefill = new ContentEngine(192, layout) { ChunkBlocks = 192 };
        await using var decode = new ContentEngine(192, layout);
        await using KvServer server = await KvServer.StartAsync(decode);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.BeforeRead = () => gate.Task;
        var transport = new CountingTransport(_transport);
        int[] prompt = [.. Enumerable.Range(0, 192 * 8).Select(i => i % 1000)];
        PrefillRequest sequence = new TransferScript(prompt, layout: layout).OpenMessage.Sequence;
        sequence.DecodeEndpoint = server.Address.AbsoluteUri;
        Task<KvSendResult> sending = new KvSender(prefill, transport, _options).SendAsync(sequence, default);

        // It gets as far as the window lets it, and no further.
        await Eventually.TrueAsync(() => transport.Written >= GrpcKvTransport.WindowBytes - (4 << 20));
        await Task.WhenAny(sending, Task.Delay(300));
        Assert.InRange(transport.Written, GrpcKvTransport.WindowBytes - (4 << 20), GrpcKvTransport.WindowBytes + (4 << 20));
        Assert.False(sending.IsCompleted);
        gate.SetResult();
        KvSendResult result = await sending.WaitAsync(Eventually.DefaultDeadline);
        Assert.Equal(192 * layout.BlockBytes, result.SentBytes);
        await (await server.Receiver.ReceiveAsync("r", 0, default)).DisposeAsync();
        Assert.Empty(decode.WrongContent);
        await AssertReleasedAsync(prefill, decode);
    }

    [Fact]
    public async Task A_receiver_that_takes_nothing_ends_the_transfer_at_the_deadline()
    {
        var layout = new KvLayout(Layers: 4, KvHeads: 16, HeadDim: 128, KvDtype.BF16, BlockSize: 8);
        await using var prefill = new ContentEngine(192, layout) { ChunkBlocks = 192 };
        await using var decode = new ContentEngine(192, layout);
        await using KvServer server = await KvServer.StartAsync(decode);
        server.BeforeRead = () => Task.Delay(Timeout.Infinite);
        PrefillRequest sequence = new TransferScript(new int[192 * 8], layout: layout).OpenMessage.Sequence;
        sequence.DecodeEndpoint = server.Address.AbsoluteUri;
        _options.WriteTimeout = TimeSpan.FromMilliseconds(500);
        var error = await Assert.ThrowsAsync<KvTransferException>(() => new KvSender(prefill, _transport, _options).SendAsync(sequence, default));
        Assert.Equal(KvTransferError.DeadlineExceeded, error.Error);
        Assert.Contains("took no data", error.Message, StringComparison.Ordinal);
        await AssertReleasedAsync(prefill, decode);
    }

    [Fact]
    public async Task Different_layouts_are_refused_with_both_names()
    {
        await using var prefill = new ContentEngine(64, KvContent.Layout with { Dtype = KvDtype.F32 });
        var error = await Assert.ThrowsAsync<KvTransferException>(() => new KvSender(prefill, _transport, _options).SendAsync(Sequence(Prompt), default));
        Assert.Equal(KvTransferError.Mismatch, error.Error);
        Assert.Contains(KvContent.Layout.Fingerprint, error.Message, StringComparison.Ordinal);
        Assert.Contains(prefill.Runner.KvStore.Layout.Fingerprint, error.Message, StringComparison.Ordinal);
        await AssertReleasedAsync(prefill, _decode);
    }

    [Fact]
    public async Task A_request_that_is_cancelled_ends_the_transfer_at_the_sender()
    {
        Gate(_prefill, atBlock: 4);
        using var client = new CancellationTokenSource();
        Task<IGeneration> receive = _server.Receiver.ReceiveAsync("r", 0, client.Token).AsTask();
        Task<KvSendResult> sending = Sender().SendAsync(Sequence(Prompt), default);
        await Eventually.TrueAsync(() => _decode.Pool.Counts.Referenced == 10);
        await client.CancelAsync();
        var error = await Assert.ThrowsAsync<KvTransferException>(() => sending.WaitAsync(Eventually.DefaultDeadline));
        Assert.Equal(KvTransferError.Dropped, error.Error);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => receive);
        await AssertReleasedAsync(_prefill, _decode);
    }

    [Fact]
    public async Task A_hundred_transfers_cancelled_at_any_moment_leave_nothing_behind()
    {
        var random = new Random(11);
        KvSender sender = Sender();
        for (int i = 0; i < 100; i++)
        {
            using var client = new CancellationTokenSource(TimeSpan.FromMicroseconds(random.Next(0, 6000)));
            Task<KvSendResult> sending = sender.SendAsync(Sequence([i, .. Prompt], $"c{i}"), client.Token);
            await Task.WhenAny(sending, Task.Delay(Eventually.DefaultDeadline));
            Assert.True(sending.IsCompleted);
            if (_decode.Adopted.Contains($"c{i}/0#1"))
            {
                await (await _server.Receiver.ReceiveAsync($"c{i}", 0, default)).DisposeAsync();
            }
        }

        await Eventually.TrueAsync(() => _server.Receiver.LiveTransfers == 0);
        foreach (string adopted in _decode.Adopted)
        {
            string request = adopted.Split('/')[0];
            try
            {
                await (await _server.Receiver.ReceiveAsync(request, 0, default)).DisposeAsync();
            }
            catch (GenerationException)
            {
                // Disposed of above.
            }
        }
    }

    private static async Task AssertReleasedAsync(params ContentEngine[] engines)
    {
        foreach (ContentEngine engine in engines)
        {
            await Eventually.TrueAsync(() => engine.Pool.Counts.Referenced == 0, state: () => engine.Pool.Counts.ToString());
            Assert.Empty(engine.WrongContent);
        }
    }

    private static TaskCompletionSource Gate(ContentEngine engine, int atBlock)
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        engine.BeforeStep = (_, first, token) => first == atBlock ? gate.Task.WaitAsync(token) : Task.CompletedTask;
        return gate;
    }

    private KvSender Sender() => new(_prefill, _transport, _options);

    private PrefillRequest Sequence(int[] prompt, string requestId = "r", int epoch = 1)
    {
        PrefillRequest sequence = new TransferScript(prompt, requestId, epoch: epoch).OpenMessage.Sequence;
        sequence.DecodeEndpoint = _server.Address.AbsoluteUri;
        return sequence;
    }
}
