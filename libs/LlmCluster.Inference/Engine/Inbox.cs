using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Scheduling;

namespace LlmCluster.Inference.Engine;

/// <summary>What the engine's thread is asked to do.</summary>
internal enum CommandKind
{
    /// <summary>Queue a sequence.</summary>
    Submit,

    /// <summary>Run a sequence that has its blocks.</summary>
    Adopt,

    /// <summary>End a sequence.</summary>
    Cancel,

    /// <summary>Queue a reservation.</summary>
    Reserve,

    /// <summary>Forget a reservation.</summary>
    CancelReservation,
}

/// <summary>A message to the engine's thread.</summary>
internal readonly record struct Command(CommandKind Kind, Sequence? Sequence, Reservation? Reservation)
{
    public static Command For(CommandKind kind, Sequence sequence) => new(kind, sequence, null);

    public static Command For(CommandKind kind, Reservation reservation) => new(kind, null, reservation);
}

/// <summary>
/// Where other threads leave messages for the engine's thread, and where it sleeps while it has nothing to do. Every
/// lock is held for a few instructions.
/// </summary>
internal sealed class Inbox
{
    private readonly object _lock = new();
    private List<Command> _commands = [];
    private bool _wake;
    private bool _closed;

    // Counts of what is in the list and not yet in the engine's own figures.
    private int _queued;
    private int _queuedTokens;
    private int _running;
    private int _waiting;
    private int _prefillTokens;
    private int _room;
    private long _queuedPrediction;
    private long _predictedTokens;
    private int _predictedBlocks;

    /// <summary>Leaves a message.</summary>
    /// <returns>False when the engine has stopped.</returns>
    public bool Post(Command command)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return false;
            }

            _commands.Add(command);
            _queued += command.Kind is CommandKind.Submit or CommandKind.Reserve ? 1 : 0;
            _queuedTokens += command.Kind is CommandKind.Submit ? command.Sequence!.Length : 0;
            _queuedPrediction += command.Kind is CommandKind.Submit or CommandKind.Adopt ? command.Sequence!.PredictedTokens : 0;
            Monitor.Pulse(_lock);
            return true;
        }
    }

    /// <summary>Ends a sleep, or the next one.</summary>
    public void Wake()
    {
        lock (_lock)
        {
            _wake = true;
            Monitor.Pulse(_lock);
        }
    }

    /// <summary>Takes no more messages.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            Monitor.Pulse(_lock);
        }
    }

    /// <summary>Swaps the list of messages for an empty one.</summary>
    /// <returns>False when the inbox is closed; the messages that were left before come nevertheless.</returns>
    public bool Drain(ref List<Command> commands)
    {
        commands.Clear();
        lock (_lock)
        {
            (_commands, commands) = (commands, _commands);
            _waiting += _queued;
            _prefillTokens += _queuedTokens;
            _predictedTokens += _queuedPrediction;
            _queued = 0;
            _queuedTokens = 0;
            _queuedPrediction = 0;
            return !_closed;
        }
    }

    /// <summary>Sleeps until there is a message, a wake-up, or the time is over.</summary>
    public void Sleep(TimeSpan longest)
    {
        lock (_lock)
        {
            if (!_wake && !_closed && _commands.Count == 0)
            {
                Monitor.Wait(_lock, longest);
            }

            _wake = false;
        }
    }

    /// <summary>Sets the engine's own figures.</summary>
    public void Publish(Scheduler scheduler)
    {
        int prefillTokens = scheduler.PrefillTokens;
        int room = scheduler.Room;
        long predictedTokens = scheduler.PredictedTokens;
        int predictedBlocks = (int)Math.Min((long)room + scheduler.PredictedWaitingBlocks, int.MaxValue);
        lock (_lock)
        {
            _running = scheduler.Running.Count;
            _waiting = scheduler.Waiting.Count;
            _prefillTokens = prefillTokens;
            _room = room;
            _predictedTokens = predictedTokens;
            _predictedBlocks = predictedBlocks;
        }
    }

    /// <summary>Load at this moment.</summary>
    public EngineStatus Status(BlockPoolCounts blocks)
    {
        lock (_lock)
        {
            return new EngineStatus(_running, _waiting + _queued, _prefillTokens + _queuedTokens, blocks)
            {
                PredictedTokens = _predictedTokens + _queuedPrediction,
                PredictedBlocks = (int)Math.Min((long)blocks.Referenced + _predictedBlocks, int.MaxValue),
            };
        }
    }

    /// <summary>Blocks that those who run and wait are predicted to take still; null once closed.</summary>
    public int? PredictedNeed(int blockSize)
    {
        lock (_lock)
        {
            long queued = ((_queuedTokens + _queuedPrediction) / blockSize) + _queued;
            return _closed ? null : (int)Math.Min(_predictedBlocks + queued, int.MaxValue);
        }
    }

    /// <summary>Whether blocks may be taken at once, without passing someone by.</summary>
    /// <param name="keepAvailable">Blocks to leave to those that run.</param>
    public bool NobodyWaits(out int keepAvailable)
    {
        lock (_lock)
        {
            keepAvailable = _room;
            return !_closed && _waiting + _queued == 0;
        }
    }
}
