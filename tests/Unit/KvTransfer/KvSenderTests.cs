using LlmCluster.Inference.Engine;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Testing.KvTransfer;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

public sealed class KvSenderTests : IAsyncDisposable
{
    private const string Endpoint = "http://127.0.0.1:1";
    private static readonly int[] Prompt = [.. Enumerable.Range(1, 39)];

    private readonly ContentEngine _prefill = new(32);
    private readonly ContentEngine _decode = new(32);
    private readonly KvSenderOptions _options = new() { MaxFrameBytes = 4096 };
    private readonly KvReceiver _receiver;
    private readonly MemoryKvTransport _transport;

    public KvSenderTests()
    {
        _receiver = new KvReceiver(_decode, new KvReceiverOptions());
        _transport = new MemoryKvTransport(_receiver);
    }

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        await Eventually.TrueAsync(() => _prefill.Pool.Counts.Referenced == 0);
        await Eventually.TrueAsync(() => _decode.Pool.Counts.Referenced == 0);
        Assert.Empty(_decode.WrongContent);
    }

    [Fact]
    public async Task A_prompt_is_handed_over_while_it_is_computed()
    {
        KvSendResult result = await Sender().SendAsync(Sequence(), default);
        Assert.Equal(new KvSendResult(0, 0, 10 * KvContent.Layout.BlockBytes), result);
        await using IGeneration generation = await _receiver.ReceiveAsync("r", 0, default);
        Assert.Equal(Prompt, generation.Request.Prompt);
    }

    [Fact]
    public async Task Both_caches_count()
    {
        await Sender().SendAsync(Sequence("a"), default);
        KvSendResult second = await Sender().SendAsync(Sequence("b"), default);
        Assert.Equal(new KvSendResult(36, 9, KvContent.Layout.BlockBytes), second);
        Assert.Equal(2, _decode.Adopted.Count);
    }

    [Fact]
    public async Task Blocks_of_the_senders_cache_are_sent_too()
    {
        await Sender().SendAsync(Sequence("a"), default);
        _decode.Pool.ClearCache();
        KvSendResult second = await Sender().SendAsync(Sequence("b"), default);
        Assert.Equal(new KvSendResult(36, 0, 10 * KvContent.Layout.BlockBytes), second);
    }

    [Fact]
    public async Task Frames_go_out_before_the_prompt_is_complete()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int frames = 0;
        _transport.OnOpen = stream => stream.OnTheWay = frame =>
        {
            Interlocked.Increment(ref frames);
            return [frame];
        };
        _prefill.BeforeStep = (layer, first, token) => first >= 4 ? gate.Task.WaitAsync(token) : Task.CompletedTask;
        Task<KvSendResult> sending = Sender().SendAsync(Sequence(), default);
        await Eventually.TrueAsync(() => Volatile.Read(ref frames) >= 1 + KvContent.Layout.Layers);
        Assert.False(sending.IsCompleted);
        gate.SetResult();
        await sending;
    }

    [Theory]
    [InlineData("not an address")]
    [InlineData("ftp://host")]
    [InlineData("")]
    public async Task A_bad_endpoint_is_refused(string endpoint)
    {
        PrefillRequest sequence = Sequence();
        sequence.DecodeEndpoint = endpoint;
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(sequence, default));
        Assert.Equal(KvTransferError.InvalidRequest, error.Error);
        Assert.Contains("decode_endpoint", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_ends_prefill_and_transfer()
    {
        using var client = new CancellationTokenSource();
        _prefill.BeforeStep = async (layer, first, token) =>
        {
            if (first == 4)
            {
                await client.CancelAsync();
            }
        };
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(), client.Token));
        Assert.Equal(KvTransferError.Cancelled, error.Error);
        await Eventually.TrueAsync(() => _receiver.LiveTransfers == 0);
    }

    [Fact]
    public async Task A_model_that_fails_ends_the_transfer()
    {
        _prefill.BeforeStep = (layer, first, _) => first == 4
            ? throw new GenerationException(GenerationError.Internal, "The model failed.")
            : Task.CompletedTask;
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(), default));
        Assert.Equal(KvTransferError.Internal, error.Error);
        Assert.Equal("The model failed.", error.Message);
        await Eventually.TrueAsync(() => _receiver.LiveTransfers == 0);
    }

    [Fact]
    public async Task The_receivers_refusal_is_what_the_caller_hears()
    {
        using var other = new ContentRunner(KvContent.Layout, 32);
        await using var decode = new ContentEngine(32, KvContent.Layout with { BlockSize = 8 });
        await using var receiver = new KvReceiver(decode, new KvReceiverOptions());
        var sender = new KvSender(_prefill, new MemoryKvTransport(receiver), _options);
        var error = await Assert.ThrowsAsync<KvTransferException>(() => sender.SendAsync(Sequence(), default));
        Assert.Equal(KvTransferError.Mismatch, error.Error);
        Assert.Contains(KvContent.Layout.Fingerprint, error.Message, StringComparison.Ordinal);
        Assert.Contains(decode.Runner.KvStore.Layout.Fingerprint, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_in_the_middle_cancels_the_prefill()
    {
        bool cancelled = false;
        _prefill.BeforeStep = async (layer, first, token) =>
        {
            if (first == 6)
            {
                // Never goes on by itself.
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                catch (OperationCanceledException)
                {
                    cancelled = true;
                    throw;
                }
            }
        };
        int frames = 0;
        _transport.OnOpen = stream => stream.OnTheWay = frame => [++frames == 3 ? TransferScript.Damage(frame) : frame];
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(), default));
        Assert.Equal(KvTransferError.Corrupt, error.Error);
        await Eventually.TrueAsync(() => cancelled);
    }

    [Fact]
    public async Task A_sequence_that_the_receiver_has_needs_no_transfer()
    {
        await Sender().SendAsync(Sequence(), default);
        PrefillRequest again = Sequence();
        again.Id.Epoch = 2;
        KvSendResult result = await Sender().SendAsync(again, default);
        Assert.Equal((10, 0L), (result.SkippedBlocks, result.SentBytes));
        Assert.Single(_decode.Adopted);
    }

    [Fact]
    public async Task A_receiver_without_room_keeps_the_sender_waiting_until_its_deadline()
    {
        _options.AcceptTimeout = TimeSpan.FromMilliseconds(200);
        using var all = _decode.Pool.TryReserve([], 32, out _)!;
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(), default));
        Assert.Equal(KvTransferError.DeadlineExceeded, error.Error);
        Assert.Contains("did not accept", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prompt_that_is_not_admitted_ends_at_its_deadline()
    {
        _options.QueueTimeout = TimeSpan.FromMilliseconds(200);
        using var all = _prefill.Pool.TryReserve([], 32, out _)!;
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(), default));
        Assert.Equal(KvTransferError.DeadlineExceeded, error.Error);
        Assert.Contains("not admitted", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_engine_without_progress_ends_at_its_deadline()
    {
        _options.ComputeTimeout = TimeSpan.FromMilliseconds(200);
        _prefill.BeforeStep = (_, first, token) => first == 4 ? Task.Delay(Timeout.Infinite, token) : Task.CompletedTask;
        var error = await Assert.ThrowsAsync<KvTransferException>(() => Sender().SendAsync(Sequence(), default));
        Assert.Equal(KvTransferError.DeadlineExceeded, error.Error);
        Assert.Contains("no progress", error.Message, StringComparison.Ordinal);
    }

    private static PrefillRequest Sequence(string requestId = "r")
    {
        PrefillRequest sequence = new TransferScript(Prompt, requestId).OpenMessage.Sequence;
        sequence.DecodeEndpoint = Endpoint;
        return sequence;
    }

    private KvSender Sender() => new(_prefill, _transport, _options);
}
