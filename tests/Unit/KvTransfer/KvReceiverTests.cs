using Google.Protobuf;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Testing.KvTransfer;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

public sealed class KvReceiverTests : IAsyncDisposable
{
    private const int PoolBlocks = 16;
    private static readonly int[] Prompt = [.. Enumerable.Range(1, 10)];

    private readonly ContentEngine _engine = new(PoolBlocks);
    private readonly KvReceiverOptions _options = new();
    private KvReceiver? _receiver;

    private KvReceiver Receiver => _receiver ??= new KvReceiver(_engine, _options);

    public async ValueTask DisposeAsync()
    {
        await Receiver.DisposeAsync();
        await Eventually.TrueAsync(() => _engine.Pool.Counts.Referenced == 0);
        Assert.Equal(0, Receiver.LiveTransfers);
        Assert.Equal(0, Receiver.WaitingRequests);
        Assert.Empty(_engine.WrongContent);
    }

    [Fact]
    public async Task A_sequence_reaches_the_request_that_waits_for_it()
    {
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("r", 0, default);
        Assert.Equal(1, Receiver.WaitingRequests);
        MemoryKvStream stream = await RunAsync(new TransferScript(Prompt));
        Assert.Null(stream.Error);
        await using IGeneration generation = await receive;
        await AssertTokensAsync(generation);
        Assert.Equal(3, _engine.Pool.Counts.Referenced);
    }

    [Fact]
    public async Task A_request_that_comes_later_gets_its_sequence_at_once()
    {
        await RunAsync(new TransferScript(Prompt));
        await using IGeneration generation = await Receiver.ReceiveAsync("r", 0, default);
        await AssertTokensAsync(generation);
    }

    [Fact]
    public async Task Done_comes_last_and_blocks_can_be_found_by_their_hashes()
    {
        MemoryKvStream stream = await RunAsync(new TransferScript(Prompt));
        Assert.Equal(KvReceiverMessage.MessageOneofCase.Done, (await ReadAsync(stream))!.MessageCase);
        Assert.Null(await ReadAsync(stream));
        Assert.Equal(2, _engine.Pool.CountPrefix(KvContent.Hashes(KvContent.Layout, Prompt)));
    }

    [Fact]
    public async Task The_second_time_only_the_last_partial_block_is_wanted()
    {
        await RunAsync(new TransferScript(Prompt));
        (MemoryKvStream stream, int cached) = await OpenAsync(new TransferScript(Prompt, "other"));
        Assert.Equal(2, cached);
        SendAll(stream, new TransferScript(Prompt, "other").Rest(cached));
        await stream.Handler;
        Assert.Null(stream.Error);
        Assert.Equal(2, _engine.Adopted.Count);
    }

    [Fact]
    public async Task Cached_blocks_must_not_be_sent()
    {
        await RunAsync(new TransferScript(Prompt));
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt, "other"));
        stream.Send(new TransferScript(Prompt).Blocks(0, 1, 2));
        await AssertFailsAsync(stream, KvTransferError.Protocol, "block 1", "first 2 blocks");
    }

    [Fact]
    public async Task Different_models_are_refused_by_name()
    {
        var script = new TransferScript(Prompt);
        script.OpenMessage.ModelFingerprint = "another-model";
        MemoryKvStream stream = Start(script);
        await AssertFailsAsync(stream, KvTransferError.Mismatch, "another-model", KvContent.Fingerprint);
    }

    [Fact]
    public async Task Different_layouts_are_refused_by_name()
    {
        var layout = KvContent.Layout with { Dtype = KvDtype.F32 };
        MemoryKvStream stream = Start(new TransferScript(Prompt, layout: layout));
        await AssertFailsAsync(stream, KvTransferError.Mismatch, layout.Fingerprint, KvContent.Layout.Fingerprint);
    }

    [Theory]
    [InlineData("request_id")]
    [InlineData("epoch")]
    [InlineData("index")]
    [InlineData("prompt")]
    [InlineData("token 1000")]
    [InlineData("max_tokens")]
    [InlineData("sampling")]
    [InlineData("id is missing")]
    public async Task Malformed_sequences_are_refused_with_the_field(string field)
    {
        var script = new TransferScript(Prompt);
        PrefillRequest sequence = script.OpenMessage.Sequence;
        switch (field)
        {
            case "request_id": sequence.Id.RequestId = ""; break;
            case "epoch": sequence.Id.Epoch = 0; break;
            case "index": sequence.Id.Index = -1; break;
            case "prompt": sequence.Prompt.Clear(); break;
            case "token 1000": sequence.Prompt[3] = 1000; break;
            case "max_tokens": sequence.MaxTokens = 0; break;
            case "sampling": sequence.Sampling = null; break;
            default: sequence.Id = null; break;
        }

        await AssertFailsAsync(Start(script), KvTransferError.InvalidRequest, field);
    }

    [Fact]
    public async Task A_prompt_larger_than_the_pool_is_refused()
    {
        var script = new TransferScript([.. Enumerable.Range(0, 4 * (PoolBlocks + 1))]);
        await AssertFailsAsync(Start(script), KvTransferError.InvalidRequest, "17 blocks");
    }

    [Fact]
    public async Task The_first_message_must_open()
    {
        MemoryKvStream stream = MemoryKvStream.Connect(Receiver);
        stream.Send(new TransferScript(Prompt).Blocks(0, 0, 1));
        await AssertFailsAsync(stream, KvTransferError.Protocol, "must open");
    }

    [Theory]
    [InlineData(3, 0, 1, "layer 3")]
    [InlineData(0, 3, 1, "from block 3")]
    [InlineData(0, 2, 2, "from block 2")]
    [InlineData(0, 0, 0, "0 blocks")]
    public async Task Blocks_outside_the_sequence_are_refused(int layer, int firstBlock, int count, string problem)
    {
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        stream.Send(new TransferScript(Prompt).Blocks(layer, firstBlock, count));
        await AssertFailsAsync(stream, KvTransferError.Protocol, problem);
    }

    [Fact]
    public async Task A_block_that_comes_twice_is_refused()
    {
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        stream.Send(new TransferScript(Prompt).Blocks(1, 0, 2));
        stream.Send(new TransferScript(Prompt).Blocks(1, 1, 2));
        await AssertFailsAsync(stream, KvTransferError.Protocol, "block 1 of layer 1 was sent twice");
    }

    [Fact]
    public async Task A_payload_of_the_wrong_length_is_refused()
    {
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        KvSenderMessage message = KvSenderMessage.Parser.ParseFrom(new TransferScript(Prompt).Blocks(0, 0, 1));
        message.Blocks.Payload = ByteString.CopyFrom(message.Blocks.Payload.Span[1..]);
        stream.Send(message.ToByteArray());
        await AssertFailsAsync(stream, KvTransferError.Protocol, $"{KvContent.Layout.LayerBlockBytes - 1} bytes");
    }

    [Fact]
    public async Task A_damaged_payload_fails_the_attempt_and_a_retry_skips_what_was_complete()
    {
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("r", 0, default);
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        byte[][] frames = [.. new TransferScript(Prompt).Rest(0)];
        SendAll(stream, frames[..4]);
        stream.Send(TransferScript.Damage(frames[4]));
        await AssertFailsAsync(stream, KvTransferError.Corrupt, "layer 1, blocks 1 to 1");

        var retry = new TransferScript(Prompt, epoch: 2);
        (MemoryKvStream second, int cached) = await OpenAsync(retry);
        Assert.Equal(1, cached);
        SendAll(second, retry.Rest(cached));
        await using IGeneration generation = await receive;
        await AssertTokensAsync(generation);
    }

    [Fact]
    public async Task A_commit_with_blocks_missing_is_refused()
    {
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        byte[][] frames = [.. new TransferScript(Prompt).Rest(0)];
        SendAll(stream, [.. frames[..4], .. frames[5..]]);
        await AssertFailsAsync(stream, KvTransferError.Protocol, "block 1 of layer 1", "1 in all");
    }

    [Fact]
    public async Task An_older_attempt_is_refused_with_both_numbers()
    {
        (MemoryKvStream current, _) = await OpenAsync(new TransferScript(Prompt, epoch: 5));
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 3)), KvTransferError.StaleEpoch, "Attempt 3", "attempt 5");
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 5)), KvTransferError.StaleEpoch, "Attempt 5", "before");
        SendAll(current, new TransferScript(Prompt).Rest(0));
        await current.Handler;
        Assert.Null(current.Error);
    }

    [Fact]
    public async Task A_newer_attempt_reserves_only_when_the_older_handler_has_released_its_blocks()
    {
        // Two prompts of this length don't fit at the same time.
        int[] prompt = [.. Enumerable.Range(1, 4 * 10)];
        (MemoryKvStream older, _) = await OpenAsync(new TransferScript(prompt));
        older.Send(new TransferScript(prompt).Blocks(0, 0, 10));
        (MemoryKvStream newer, int cached) = await OpenAsync(new TransferScript(prompt, epoch: 2));
        Assert.True(older.Handler.IsCompleted);
        Assert.Equal(KvTransferError.StaleEpoch, older.Error!.Error);
        Assert.Contains("superseded by attempt 2", older.Error.Message, StringComparison.Ordinal);

        // A late frame of the older attempt goes nowhere.
        older.Send(TransferScript.Damage(new TransferScript(prompt).Blocks(1, 0, 10)));
        SendAll(newer, new TransferScript(prompt).Rest(cached));
        await newer.Handler;
        Assert.Null(newer.Error);
    }

    [Fact]
    public async Task Of_many_attempts_at_once_the_newest_wins()
    {
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("r", 0, default);
        MemoryKvStream[] streams = [.. Enumerable.Range(1, 20).Select(epoch => Start(new TransferScript(Prompt, epoch: epoch)))];
        Assert.Equal(KvReceiverMessage.MessageOneofCase.Accept, (await ReadAsync(streams[^1]))!.MessageCase);
        foreach (MemoryKvStream stream in streams[..^1])
        {
            await AssertFailsAsync(stream, KvTransferError.StaleEpoch);
        }

        SendAll(streams[^1], new TransferScript(Prompt).Rest(0));
        await using IGeneration generation = await receive;
        await AssertTokensAsync(generation);
    }

    [Fact]
    public async Task An_attempt_after_the_hand_over_is_done_at_once()
    {
        await RunAsync(new TransferScript(Prompt));
        MemoryKvStream again = Start(new TransferScript(Prompt, epoch: 2));
        Assert.Equal(KvReceiverMessage.MessageOneofCase.Done, (await ReadAsync(again))!.MessageCase);
        await again.Handler;
        Assert.Null(again.Error);
        Assert.Single(_engine.Adopted);
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 1)), KvTransferError.StaleEpoch, "Attempt 1");
    }

    [Fact]
    public async Task A_sender_that_vanishes_leaves_no_block_and_the_request_waits_on()
    {
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("r", 0, default);
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        stream.Send(new TransferScript(Prompt).Blocks(0, 0, 1));
        stream.Vanish();
        await AssertFailsAsync(stream, KvTransferError.Cancelled);
        Assert.Equal(0, _engine.Pool.Counts.Referenced);
        Assert.Equal(1, Receiver.WaitingRequests);
        await RunAsync(new TransferScript(Prompt, epoch: 2));
        await using IGeneration generation = await receive;
        await AssertTokensAsync(generation);
    }

    [Fact]
    public async Task A_stream_that_ends_without_commit_fails()
    {
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        await stream.CompleteAsync();
        await AssertFailsAsync(stream, KvTransferError.Protocol, "without a commit");
    }

    [Fact]
    public async Task Cancelling_the_request_ends_the_transfer_and_refuses_later_ones()
    {
        using var client = new CancellationTokenSource();
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("r", 0, client.Token);
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await receive);
        await AssertFailsAsync(stream, KvTransferError.Dropped, "cancelled");
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 2)), KvTransferError.Dropped, "cancelled");
        GenerationException again = await Assert.ThrowsAsync<GenerationException>(async () => await Receiver.ReceiveAsync("r", 0, default));
        Assert.Equal(GenerationError.Unavailable, again.Error);
    }

    [Fact]
    public async Task Disposing_the_sequence_refuses_later_attempts()
    {
        await RunAsync(new TransferScript(Prompt));
        await (await Receiver.ReceiveAsync("r", 0, default)).DisposeAsync();
        Assert.Equal(0, _engine.Pool.Counts.Referenced);
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 2)), KvTransferError.Dropped, "has ended");
    }

    [Fact]
    public async Task Only_one_request_gets_a_sequence()
    {
        ValueTask<IGeneration> first = Receiver.ReceiveAsync("r", 0, default);
        GenerationException second = await Assert.ThrowsAsync<GenerationException>(async () => await Receiver.ReceiveAsync("r", 0, default));
        Assert.Equal(GenerationError.InvalidRequest, second.Error);
        await RunAsync(new TransferScript(Prompt));
        await using IGeneration generation = await first;
        await Assert.ThrowsAsync<GenerationException>(async () => await Receiver.ReceiveAsync("r", 0, default));
    }

    [Fact]
    public async Task Sequences_of_one_request_are_kept_apart()
    {
        await RunAsync(new TransferScript(Prompt, index: 1));
        ValueTask<IGeneration> first = Receiver.ReceiveAsync("r", 0, default);
        await using IGeneration second = await Receiver.ReceiveAsync("r", 1, default);
        Assert.False(first.IsCompleted);
        await RunAsync(new TransferScript(Prompt, index: 0));
        await (await first).DisposeAsync();
        await AssertTokensAsync(second);
    }

    [Fact]
    public async Task A_request_whose_sequence_does_not_come_ends_with_the_last_problem()
    {
        _options.ReceiveTimeout = TimeSpan.FromMilliseconds(400);
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("r", 0, default);
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        await stream.CompleteAsync();
        GenerationException error = await Assert.ThrowsAsync<GenerationException>(async () => await receive);
        Assert.Equal(GenerationError.DeadlineExceeded, error.Error);
        Assert.Contains("without a commit", error.Message, StringComparison.Ordinal);
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 2)), KvTransferError.Dropped, "did not arrive");
    }

    [Fact]
    public async Task A_sequence_that_nobody_claims_is_dropped()
    {
        _options.ClaimTimeout = TimeSpan.FromMilliseconds(100);
        await RunAsync(new TransferScript(Prompt));
        await Eventually.TrueAsync(() => _engine.Pool.Counts.Referenced == 0);
        await AssertFailsAsync(Start(new TransferScript(Prompt, epoch: 2)), KvTransferError.Dropped, "no request asked");
    }

    [Fact]
    public async Task A_silent_sender_is_given_up()
    {
        _options.FrameTimeout = TimeSpan.FromMilliseconds(100);
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt));
        await AssertFailsAsync(stream, KvTransferError.DeadlineExceeded, "silent");
    }

    [Fact]
    public async Task A_stream_that_never_opens_is_given_up()
    {
        _options.OpenTimeout = TimeSpan.FromMilliseconds(100);
        await AssertFailsAsync(MemoryKvStream.Connect(Receiver), KvTransferError.DeadlineExceeded, "silent");
    }

    [Fact]
    public async Task Without_free_blocks_the_attempt_fails_in_time()
    {
        _options.ReserveTimeout = TimeSpan.FromMilliseconds(100);
        using BlockLease all = _engine.Pool.TryReserve([], PoolBlocks, out _)!;
        await AssertFailsAsync(Start(new TransferScript(Prompt)), KvTransferError.NoRoom, "3 blocks");
    }

    [Fact]
    public async Task Shutdown_ends_transfers_waits_and_unclaimed_sequences()
    {
        ValueTask<IGeneration> receive = Receiver.ReceiveAsync("waiting", 0, default);
        (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt, "open"));
        await RunAsync(new TransferScript(Prompt, "unclaimed"));
        await Receiver.DisposeAsync();
        Assert.Equal(0, _engine.Pool.Counts.Referenced);
        GenerationException error = await Assert.ThrowsAsync<GenerationException>(async () => await receive);
        Assert.Equal(GenerationError.Unavailable, error.Error);
        await AssertFailsAsync(stream, KvTransferError.Unavailable, "shutting down");
        await AssertFailsAsync(Start(new TransferScript(Prompt, "new")), KvTransferError.Unavailable, "shutting down");
    }

    [Fact]
    public async Task What_is_remembered_is_bounded()
    {
        _options.MemoryLimit = 10;
        for (int i = 0; i < 100; i++)
        {
            (MemoryKvStream stream, _) = await OpenAsync(new TransferScript(Prompt, $"failed-{i}"));
            stream.Vanish();
            await stream.Handler;
            await RunAsync(new TransferScript(Prompt, $"done-{i}"));
            await (await Receiver.ReceiveAsync($"done-{i}", 0, default)).DisposeAsync();
        }

        Assert.InRange(Receiver.KnownSequences, 1, 10);
    }

    private static ValueTask<KvReceiverMessage?> ReadAsync(MemoryKvStream stream) => ((IKvSenderStream)stream).ReadAsync(default);

    private static void SendAll(MemoryKvStream stream, IEnumerable<byte[]> frames)
    {
        foreach (byte[] frame in frames)
        {
            stream.Send(frame);
        }
    }

    private static async Task AssertFailsAsync(MemoryKvStream stream, KvTransferError error, params string[] words)
    {
        await stream.Handler.WaitAsync(Eventually.DefaultDeadline);
        Assert.NotNull(stream.Error);
        Assert.Equal(error, stream.Error.Error);
        Assert.All(words, word => Assert.Contains(word, stream.Error.Message, StringComparison.Ordinal));
    }

    private static async Task AssertTokensAsync(IGeneration generation)
    {
        var tokens = new List<int>();
        await foreach (GeneratedToken token in generation.ReadAllAsync())
        {
            tokens.Add(token.TokenId);
        }

        Assert.Equal([ContentEngine.FirstToken, ContentEngine.FirstToken + 1], tokens);
    }

    private MemoryKvStream Start(TransferScript script)
    {
        MemoryKvStream stream = MemoryKvStream.Connect(Receiver);
        stream.Send(script.Open());
        return stream;
    }

    private async Task<(MemoryKvStream Stream, int CachedBlocks)> OpenAsync(TransferScript script)
    {
        MemoryKvStream stream = Start(script);
        KvReceiverMessage? message = await ReadAsync(stream);
        Assert.Equal(KvReceiverMessage.MessageOneofCase.Accept, message!.MessageCase);
        return (stream, message.Accept.CachedBlocks);
    }

    private async Task<MemoryKvStream> RunAsync(TransferScript script)
    {
        (MemoryKvStream stream, int cached) = await OpenAsync(script);
        SendAll(stream, script.Rest(cached));
        await stream.Handler.WaitAsync(Eventually.DefaultDeadline);
        return stream;
    }
}
