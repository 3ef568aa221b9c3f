using Google.Protobuf;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Testing.KvTransfer;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

public sealed class KvFetcherTests : IAsyncDisposable
{
    // Two blocks a message: with three layers, each pair of blocks is three messages.
    private const int PoolBlocks = 20;
    private static readonly Uri Peer = new("http://peer:1");

    // Nine full blocks; the last holds the last token.
    private static readonly int[] Prompt = [.. Enumerable.Range(1, 36)];

    private readonly ContentEngine _peer = new(PoolBlocks, Layout);
    private readonly ContentEngine _engine = new(PoolBlocks, Layout);
    private readonly KvFetchOptions _options = new() { MaxFrameBytes = 4096 };
    private readonly KvFetchServer _server;
    private readonly ScriptedFetch _transport;
    private readonly KvFetcher _fetcher;

    public KvFetcherTests()
    {
        _server = new KvFetchServer(_peer, _options);
        _transport = new ScriptedFetch(_server);
        _fetcher = new KvFetcher(_engine, _transport, _options);
    }

    private static KvLayout Layout { get; } = KvContent.Layout with { HeadDim = 128 };

    public async ValueTask DisposeAsync()
    {
        await _fetcher.DisposeAsync().AsTask().WaitAsync(Eventually.DefaultDeadline);
        await _server.DisposeAsync().AsTask().WaitAsync(Eventually.DefaultDeadline);
        CheckReleased();
    }

    [Fact]
    public async Task All_but_the_block_with_the_last_token_is_fetched()
    {
        Fill(_peer, 9);
        await AssertFetchedAsync(8);
        Assert.Equal(new KvFetchStatus(1, 8, 8 * Layout.BlockBytes, 0, 0), _fetcher.Status);
        Assert.Equal((8, 8 * Layout.BlockBytes), (_server.ServedBlocks, _server.ServedBytes));

        // Now they are here.
        await AssertFetchedAsync(8);
        Assert.Equal(1, _transport.Calls);
    }

    [Theory]
    [InlineData(0, 5, 5)]
    [InlineData(3, 7, 7)]
    [InlineData(6, 3, 6)]
    [InlineData(0, 0, 0)]
    public async Task What_is_lacking_and_there_is_fetched(int here, int there, int expected)
    {
        Fill(_engine, here);
        Fill(_peer, there);
        await AssertFetchedAsync(expected);
        Assert.Equal((Math.Max(there - here, 0), 0), (_fetcher.Status.Blocks, _fetcher.Status.Failures));
    }

    public static TheoryData<string, int> Violations => new()
    {
        { "too many", 0 },
        { "fewer than none", 0 },
        { "number twice", 0 },
        { "no number", 0 },
        { "nothing", 0 },
        { "unknown", 2 },
        { "short payload", 2 },
        { "damaged", 2 },
        { "swapped", 2 },
        { "twice", 2 },
        { "no such layer", 2 },
        { "no such block", 2 },
        { "ends early", 2 },
        { "dies", 2 },
        { "hangs", 2 },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public async Task A_peer_that_goes_wrong_brings_what_was_whole_before(string violation, int whole)
    {
        Fill(_peer, 9);
        if (violation == "hangs")
        {
            _options.Timeout = TimeSpan.FromMilliseconds(50);
            _transport.BeforeMessage = (i, token) => i < 5 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, token);
        }

        // The number, three messages of the first two blocks, then the wrong one.
        _transport.Change = messages => violation switch
        {
            "too many" => [new FetchMessage { Found = 9 }, .. messages[1..]],
            "fewer than none" => [new FetchMessage { Found = -1 }, .. messages[1..]],
            "number twice" => [messages[0], .. messages],
            "no number" => messages[1..],
            "nothing" => [],
            "unknown" => [.. messages[..4], new FetchMessage(), .. messages[4..]],
            "short payload" => [.. messages[..4], messages[4] with { Payload = messages[4].Payload![1..] }, .. messages[5..]],
            "damaged" => [.. messages[..4], messages[4] with { Payload = Damage(messages[4].Payload!) }, .. messages[5..]],
            "swapped" => [.. messages[..4], messages[4] with { Layer = 1 }, .. messages[5..]],
            "twice" => [.. messages[..5], .. messages[4..]],
            "no such layer" => [.. messages[..4], messages[4] with { Layer = 3 }, .. messages[5..]],
            "no such block" => [.. messages[..4], messages[4] with { FirstBlock = 7 }, .. messages[5..]],
            "ends early" => messages[..^4],
            "dies" => [.. messages[..4], new FetchMessage { Failure = new KvTransferException(KvTransferError.Unavailable, "Gone.") }],
            _ => messages,
        };
        await AssertFetchedAsync(violation == "ends early" ? 4 : whole);
        Assert.Equal(1, _fetcher.Status.Failures);

        // Nothing but what was whole is findable, and the next one brings the rest.
        _transport.Change = messages => messages;
        _transport.BeforeMessage = (_, _) => Task.CompletedTask;
        _options.Timeout = TimeSpan.FromSeconds(30);
        await AssertFetchedAsync(8);
    }

    [Fact]
    public async Task Cancelling_at_any_message_leaks_nothing()
    {
        Fill(_peer, 9);
        for (int at = 0; at < 14; at++)
        {
            using var cancellation = new CancellationTokenSource();
            _transport.BeforeMessage = (i, _) => i == at ? cancellation.CancelAsync() : Task.CompletedTask;
            Task<BlockLease?> fetching = _fetcher.FetchAsync(Peer, Request(), cancellation.Token).AsTask();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetching);
            CheckReleased();
            CheckContent();
            _engine.Pool.ClearCache();
        }

        Assert.Equal(0, _fetcher.Status.Failures);
    }

    [Fact]
    public async Task Without_room_nothing_is_asked_for()
    {
        Fill(_peer, 9);
        using (_engine.Pool.TryReserve([], PoolBlocks - 7, out _))
        {
            Assert.Null(await _fetcher.FetchAsync(Peer, Request(), default));
        }

        Assert.Equal((0, 1), (_transport.Calls, _fetcher.Status.Skipped));
    }

    [Fact]
    public async Task Sequences_of_the_same_prompt_fetch_once()
    {
        Fill(_peer, 9);
        var all = new TaskCompletionSource();
        _transport.BeforeMessage = (_, _) => all.Task;
        Task<BlockLease?>[] fetches = [.. Enumerable.Range(0, 4).Select(_ => _fetcher.FetchAsync(Peer, Request(), default).AsTask())];
        Assert.All(fetches, fetch => Assert.False(fetch.IsCompleted));
        all.SetResult();
        foreach (BlockLease? lease in await Task.WhenAll(fetches))
        {
            Assert.Equal(8, lease!.Blocks.Length);
            lease.Dispose();
        }

        Assert.Equal(1, _transport.Calls);
    }

    [Fact]
    public async Task Ending_it_ends_what_is_under_way()
    {
        Fill(_peer, 9);
        _options.Timeout = TimeSpan.FromMinutes(10);
        var reading = new TaskCompletionSource();
        _transport.BeforeMessage = (_, token) =>
        {
            reading.TrySetResult();
            return Task.Delay(Timeout.Infinite, token);
        };
        Task<BlockLease?> fetching = _fetcher.FetchAsync(Peer, Request(), default).AsTask();
        await reading.Task.WaitAsync(Eventually.DefaultDeadline);
        await _fetcher.DisposeAsync();
        Assert.Null(await fetching.WaitAsync(Eventually.DefaultDeadline));
    }

    [Fact]
    public async Task A_server_refuses_other_models_and_layouts_with_both_names()
    {
        KvFetchRequest request = Ask(Layout.Fingerprint, "another");
        KvTransferException error = await Assert.ThrowsAsync<KvTransferException>(() => ServeAsync(request));
        Assert.Equal(KvTransferError.Mismatch, error.Error);
        Assert.Contains("'another'", error.Message, StringComparison.Ordinal);
        Assert.Contains($"'{KvContent.Fingerprint}'", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<KvTransferException>(() => ServeAsync(Ask("kv:other", KvContent.Fingerprint)));
        Assert.Contains(Layout.Fingerprint, error.Message, StringComparison.Ordinal);
        request = Ask(Layout.Fingerprint, KvContent.Fingerprint);
        request.BlockHashes = ByteString.CopyFrom(new byte[17]);
        error = await Assert.ThrowsAsync<KvTransferException>(() => ServeAsync(request));
        Assert.Equal(KvTransferError.InvalidRequest, error.Error);
        Assert.Contains("17 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_serves_so_many_at_a_time_and_holds_their_blocks()
    {
        Fill(_peer, 9);
        var go = new TaskCompletionSource();
        Task[] served = [.. Enumerable.Range(0, _options.MaxServed).Select(_ => _server.ServeAsync(
            Ask(Layout.Fingerprint, KvContent.Fingerprint), (_, token) => go.Task.WaitAsync(token), default))];
        Assert.Equal((_options.MaxServed, 9), (_server.Live, _peer.Pool.Counts.Referenced));
        KvTransferException error = await Assert.ThrowsAsync<KvTransferException>(() => ServeAsync(Ask(Layout.Fingerprint, KvContent.Fingerprint)));
        Assert.Equal(KvTransferError.NoRoom, error.Error);
        go.SetResult();
        await Task.WhenAll(served);
        Assert.Equal(0, _server.Live);

        // One that nobody takes ends with the server.
        Task stuck = _server.ServeAsync(Ask(Layout.Fingerprint, KvContent.Fingerprint), (_, token) => Task.Delay(Timeout.Infinite, token), default);
        await _server.DisposeAsync();
        error = await Assert.ThrowsAsync<KvTransferException>(() => stuck);
        Assert.Equal(KvTransferError.Unavailable, error.Error);
    }

    private static byte[] Damage(byte[] payload)
    {
        byte[] damaged = [.. payload];
        damaged[^1] ^= 1;
        return damaged;
    }

    private static BlockHash[] Hashes(int blocks) => KvContent.Hashes(Layout, Prompt)[..blocks];

    private static GenerationRequest Request() => new() { Id = "r", Prompt = Prompt, Sampling = new SamplingOptions(), MaxTokens = 1 };

    private static void Fill(ContentEngine engine, int blocks)
    {
        BlockHash[] hashes = Hashes(blocks);
        using BlockLease? lease = engine.Pool.TryReserve([], blocks, out _);
        for (int block = 0; block < blocks; block++)
        {
            for (int layer = 0; layer < Layout.Layers; layer++)
            {
                KvContent.Write(engine.Runner.KvStore, Prompt, layer, block, lease!.Blocks[block]);
            }

            engine.Pool.Publish(lease!.Blocks[block], hashes[block]);
        }
    }

    private static KvFetchRequest Ask(string layout, string model)
    {
        byte[] hashes = new byte[9 * BlockHash.Size];
        for (int i = 0; i < 9; i++)
        {
            Hashes(9)[i].Write(hashes.AsSpan(i * BlockHash.Size));
        }

        return new KvFetchRequest { LayoutFingerprint = layout, ModelFingerprint = model, BlockHashes = ByteString.CopyFrom(hashes) };
    }

    private Task ServeAsync(KvFetchRequest request) => _server.ServeAsync(request, (_, _) => Task.CompletedTask, default);

    private async Task AssertFetchedAsync(int blocks)
    {
        using (BlockLease? lease = await _fetcher.FetchAsync(Peer, Request(), default).AsTask().WaitAsync(Eventually.DefaultDeadline))
        {
            Assert.Equal(blocks, lease?.Blocks.Length ?? 0);
            Assert.Equal(blocks, _engine.Pool.Counts.Referenced);
        }

        Assert.Equal(blocks, _engine.Pool.CountPrefix(Hashes(9)));
        CheckReleased();
        CheckContent();
    }

    private void CheckReleased() => Assert.Equal((0, 0), (_engine.Pool.Counts.Referenced, _peer.Pool.Counts.Referenced));

    private void CheckContent()
    {
        using BlockLease? found = _engine.Pool.TakeCached(Hashes(9));
        Assert.Null(found is null ? null : KvContent.FindDifference(_engine.Runner.KvStore, Prompt, found.Blocks));
    }
}
