using System.Buffers;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Checksums;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.Tests.Unit.KvTransfer;

/// <summary>A message of a fetch as it travels: a number of blocks, blocks, a failure, or nothing that a reader knows.</summary>
internal sealed record FetchMessage
{
    public int? Found { get; init; }

    public int Layer { get; init; }

    public int FirstBlock { get; init; }

    public int Count { get; init; }

    public byte[]? Payload { get; init; }

    public uint Checksum { get; init; }

    public Exception? Failure { get; init; }

    public bool IsLast { get; init; }
}

/// <summary>Fetches from a real server in this process, whose messages a test may change, lose or hold up.</summary>
internal sealed class ScriptedFetch(KvFetchServer server) : IKvFetchTransport
{
    private int _calls;

    public int Calls => Volatile.Read(ref _calls);

    /// <summary>What becomes of the messages.</summary>
    public Func<List<FetchMessage>, IEnumerable<FetchMessage>> Change { get; set; } = messages => messages;

    /// <summary>Awaited before each message, with its index.</summary>
    public Func<int, CancellationToken, Task> BeforeMessage { get; set; } = (_, _) => Task.CompletedTask;

    public IKvFetchStream Fetch(Uri peer, KvFetchRequest request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _calls);
        return new Stream(this, request);
    }

    private async Task<List<FetchMessage>> AskAsync(KvFetchRequest request, CancellationToken cancellationToken)
    {
        List<FetchMessage> messages = [];
        await server.ServeAsync(
            request,
            (frame, _) =>
            {
                messages.Add(Copy(frame));
                return Task.CompletedTask;
            },
            cancellationToken);
        return messages;
    }

    private static FetchMessage Copy(KvFetchOutgoing frame)
    {
        if (frame.Blocks is not { } blocks)
        {
            return new FetchMessage { Found = frame.Found!.Blocks };
        }

        var payload = new ArrayBufferWriter<byte>();
        IKvBlockStore store = blocks.Store;
        uint state = store.Read(blocks.Layer, blocks.PoolBlocks.Span, payload, KvChecksum.Initial);
        return new FetchMessage
        {
            Layer = blocks.Layer,
            FirstBlock = blocks.FirstBlock,
            Count = blocks.PoolBlocks.Length,
            Payload = payload.WrittenSpan.ToArray(),
            Checksum = KvChecksum.Finish(state, blocks.Layer, blocks.FirstBlock, blocks.PoolBlocks.Length),
        };
    }

    private sealed class Stream(ScriptedFetch fetch, KvFetchRequest request) : IKvFetchStream
    {
        private IEnumerator<FetchMessage>? _messages;
        private int _index;

        public async ValueTask<KvFetchIncoming?> ReadAsync(IKvBlockSink blocks, CancellationToken cancellationToken)
        {
            _messages ??= fetch.Change(await fetch.AskAsync(request, cancellationToken)).GetEnumerator();
            await fetch.BeforeMessage(_index++, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            if (!_messages.MoveNext())
            {
                return null;
            }

            FetchMessage message = _messages.Current;
            if (message.Failure is not null)
            {
                throw message.Failure;
            }

            if (message.Payload is { } payload)
            {
                blocks.Receive(message.Layer, message.FirstBlock, message.Count, new ReadOnlySequence<byte>(payload), message.Checksum);
                return new KvFetchIncoming { HasBlocks = true };
            }

            return new KvFetchIncoming { Found = message.Found is { } found ? new KvFetchFound { Blocks = found } : null };
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
