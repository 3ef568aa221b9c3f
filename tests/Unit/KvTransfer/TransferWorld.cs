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

/// <summary>What can happen to a transfer.</summary>
internal enum Happening
{
    /// <summary>An attempt with the next number opens.</summary>
    Open,

    /// <summary>An attempt with a number that was used opens.</summary>
    OpenStale,

    /// <summary>The newest attempt sends its next frame.</summary>
    Send,

    /// <summary>The newest attempt sends all that is left.</summary>
    SendAll,

    /// <summary>An attempt repeats a frame.</summary>
    Repeat,

    /// <summary>The newest attempt sends a damaged frame.</summary>
    Damage,

    /// <summary>An older attempt sends a damaged frame late.</summary>
    SendLate,

    /// <summary>The newest attempt commits, whatever is missing.</summary>
    CommitEarly,

    /// <summary>A sender vanishes.</summary>
    Vanish,

    /// <summary>A sender ends its stream.</summary>
    EndStream,

    /// <summary>The client's request comes.</summary>
    Receive,

    /// <summary>The client's request goes.</summary>
    Cancel,

    /// <summary>The client's request ends with its sequence.</summary>
    Dispose,

    /// <summary>Somebody else takes blocks, evicting cached ones.</summary>
    TakeBlocks,

    /// <summary>Somebody else gives blocks back.</summary>
    GiveBlocks,

    /// <summary>Nobody claimed a sequence in time.</summary>
    Expire,

    /// <summary>Nothing, until what is under way has gone on.</summary>
    Settle,
}

/// <summary>One happening.</summary>
/// <param name="What">What happens.</param>
/// <param name="Sequence">To which sequence.</param>
/// <param name="Number">Which frame or attempt, or how many blocks.</param>
internal readonly record struct Step(Happening What, int Sequence, int Number)
{
    public override string ToString() => $"{What}({Sequence}, {Number})";
}

/// <summary>
/// A receiver with a real block pool, a few sequences that share prefixes, and all that can happen to them. Runs a list
/// of happenings, winds up, and checks the pool's accounts and contents.
/// </summary>
internal sealed class TransferWorld : IAsyncDisposable
{
    public const int Sequences = 4;
    private const int PoolBlocks = 14;

    // 3, 4, 5 and 6 blocks; the first three begin alike.
    private static readonly int[][] Prompts =
    [
        [.. Enumerable.Range(1, 10)],
        [.. Enumerable.Range(1, 16)],
        [.. Enumerable.Range(1, 12), .. Enumerable.Range(100, 6)],
        [.. Enumerable.Range(500, 23)],
    ];

    private readonly ContentEngine _engine = new(PoolBlocks);
    private readonly KvReceiver _receiver;
    private readonly ManualTime _time = new();
    private readonly Leg[] _legs = [.. Enumerable.Range(0, Sequences).Select(i => new Leg(i))];
    private readonly List<BlockLease> _taken = [];

    public TransferWorld()
    {
        var options = new KvReceiverOptions
        {
            ReserveTimeout = TimeSpan.FromMilliseconds(50),
            ClaimTimeout = TimeSpan.FromSeconds(30),
            MemoryLimit = 3,
        };
        _receiver = new KvReceiver(_engine, options, _time);
    }

    public async Task RunAsync(IEnumerable<Step> steps)
    {
        foreach (Step step in steps)
        {
            await DoAsync(step);
        }

        await WindUpAsync();
        await CheckAsync();
    }

    public async ValueTask DisposeAsync() => await _receiver.DisposeAsync();

    private async Task DoAsync(Step step)
    {
        Leg leg = _legs[step.Sequence];
        switch (step.What)
        {
            case Happening.Open:
                leg.Open(_receiver, ++leg.Epoch);
                break;
            case Happening.OpenStale:
                leg.Open(_receiver, Math.Max(1, leg.Epoch - step.Number));
                break;
            case Happening.Send:
                leg.Newest?.SendNext(1);
                break;
            case Happening.SendAll:
                leg.Newest?.SendNext(int.MaxValue);
                break;
            case Happening.Repeat:
                leg.Pick(step.Number)?.Repeat();
                break;
            case Happening.Damage:
                leg.Newest?.SendDamaged();
                break;
            case Happening.SendLate:
                leg.Pick(step.Number)?.SendDamaged();
                break;
            case Happening.CommitEarly:
                leg.Newest?.Commit();
                break;
            case Happening.Vanish:
                leg.Pick(step.Number)?.Stream.Vanish();
                break;
            case Happening.EndStream:
                await (leg.Pick(step.Number)?.Stream.CompleteAsync() ?? default);
                break;
            case Happening.Receive:
                leg.Receive(_receiver);
                break;
            case Happening.Cancel:
                leg.CancelReceive();
                break;
            case Happening.Dispose:
                await leg.DisposeReceivedAsync();
                break;
            case Happening.TakeBlocks:
                if (_engine.Pool.TryReserve([], step.Number + 1, out _) is { } lease)
                {
                    _taken.Add(lease);
                }

                break;
            case Happening.GiveBlocks:
                GiveBack();
                break;
            case Happening.Expire:
                _time.Advance(TimeSpan.FromSeconds(31));
                await _receiver.SweepAsync();
                break;
            default:
                await Task.Delay(1);
                break;
        }

        for (int i = 0; i < step.Number; i++)
        {
            await Task.Yield();
        }
    }

    private void GiveBack()
    {
        _taken.ForEach(lease => lease.Dispose());
        _taken.Clear();
    }

    private async Task WindUpAsync()
    {
        GiveBack();
        foreach (Leg leg in _legs)
        {
            await leg.EndAsync();
        }

        _time.Advance(TimeSpan.FromSeconds(31));
        await _receiver.SweepAsync();
    }

    private async Task CheckAsync()
    {
        Assert.Empty(_engine.WrongContent);
        Assert.Equal(0, _receiver.LiveTransfers);
        Assert.Equal(0, _receiver.WaitingRequests);
        Assert.Equal(0, _engine.Status.Running);
        Assert.InRange(_receiver.KnownSequences, 0, 3);
        BlockPoolCounts counts = _engine.Pool.Counts;
        Assert.Equal(0, counts.Referenced);
        Assert.Equal(PoolBlocks, counts.Free + counts.Cached);
        foreach (int[] prompt in Prompts)
        {
            BlockHash[] hashes = KvContent.Hashes(KvContent.Layout, prompt);
            using BlockLease lease = _engine.Pool.TryReserve(hashes, hashes.Length, out int cached)!;
            Assert.Null(KvContent.FindDifference(_engine.Runner.KvStore, prompt, lease.Blocks[..cached]));
        }

        // The receiver still works: every sequence can be brought here.
        for (int i = 0; i < Sequences; i++)
        {
            var script = new TransferScript(Prompts[i], $"after-{i}");
            var stream = MemoryKvStream.Connect(_receiver);
            stream.Send(script.Open());
            KvReceiverMessage? accept = await ((IKvSenderStream)stream).ReadAsync(default);
            foreach (byte[] frame in script.Rest(accept!.Accept.CachedBlocks))
            {
                stream.Send(frame);
            }

            await using IGeneration generation = await _receiver.ReceiveAsync($"after-{i}", 0, default);
        }

        Assert.Empty(_engine.WrongContent);
        Assert.Equal(0, _engine.Pool.Counts.Referenced);
    }

    /// <summary>Both legs of one sequence.</summary>
    private sealed class Leg(int sequence)
    {
        private readonly List<Attempt> _attempts = [];
        private readonly List<(Task<IGeneration> Received, CancellationTokenSource Client)> _requests = [];

        public int Epoch { get; set; }

        public Attempt? Newest => _attempts.LastOrDefault();

        public Attempt? Pick(int number) => _attempts.Count == 0 ? null : _attempts[^(1 + (number % _attempts.Count))];

        public void Open(KvReceiver receiver, int epoch) =>
            _attempts.Add(new Attempt(receiver, new TransferScript(Prompts[sequence], $"s{sequence}", epoch: epoch)));

        public void Receive(KvReceiver receiver)
        {
            var client = new CancellationTokenSource();
            _requests.Add((receiver.ReceiveAsync($"s{sequence}", 0, client.Token).AsTask(), client));
        }

        public void CancelReceive() => _requests.LastOrDefault().Client?.Cancel();

        public async Task DisposeReceivedAsync()
        {
            foreach ((Task<IGeneration> received, _) in _requests)
            {
                if (received.IsCompletedSuccessfully)
                {
                    await (await received).DisposeAsync();
                }
            }
        }

        public async Task EndAsync()
        {
            foreach (Attempt attempt in _attempts)
            {
                attempt.Stream.Vanish();
                await attempt.Stream.Handler.WaitAsync(Eventually.DefaultDeadline);
            }

            foreach ((Task<IGeneration> received, CancellationTokenSource client) in _requests)
            {
                client.Cancel();
                await ((Task)received).WaitAsync(Eventually.DefaultDeadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                Assert.True(received.IsCompleted);
            }

            await DisposeReceivedAsync();
        }
    }

    /// <summary>One attempt; it sends without looking at what the receiver has.</summary>
    private sealed class Attempt
    {
        private readonly TransferScript _script;
        private readonly Queue<byte[]> _frames = [];
        private byte[] _last;
        private bool _planned;

        public Attempt(KvReceiver receiver, TransferScript script)
        {
            _script = script;
            Stream = MemoryKvStream.Connect(receiver);
            Stream.Send(_last = script.Open());
        }

        public MemoryKvStream Stream { get; }

        public void SendNext(int count)
        {
            Plan();
            for (; count > 0 && _frames.TryDequeue(out byte[]? frame); count--)
            {
                Stream.Send(_last = frame);
            }
        }

        public void Repeat() => Stream.Send(_last);

        public void SendDamaged() => Stream.Send(TransferScript.Damage(_script.Blocks(_script.Layers - 1, 0, _script.BlockCount)));

        public void Commit() => Stream.Send(_script.Commit());

        private void Plan()
        {
            if (!_planned && Stream.CachedBlocks is { } cached)
            {
                _planned = true;
                foreach (byte[] frame in _script.Rest(cached))
                {
                    _frames.Enqueue(frame);
                }
            }
        }
    }

    /// <summary>A clock that stands still until it is told otherwise. Its timers never fire by themselves.</summary>
    private sealed class ManualTime : TimeProvider
    {
        private long _ticks = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _ticks);

        public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new NoTimer();

        private sealed class NoTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
