using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Scheduling;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Inference.Engine;

/// <summary>
/// A prompt that is computed for another worker, as its sink sees it. A sink that throws ends its own sequence and
/// nothing else.
/// </summary>
internal sealed partial class PrefillOutput(GenerationRequest request, IPrefillSink sink, ILogger logger) : ISequenceOutput
{
    private readonly Lock _lock = new();
    private CancellationTokenRegistration _cancellation;
    private bool _ended;
    private GeneratedToken? _firstToken;

    /// <summary>What the sink threw, if it did.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Keeps the registration until the sequence has ended.</summary>
    public void Attach(CancellationTokenRegistration cancellation)
    {
        lock (_lock)
        {
            _cancellation = cancellation;
            if (!_ended)
            {
                return;
            }
        }

        cancellation.Unregister();
    }

    public void OnAdmitted(Sequence sequence, BlockPool pool)
    {
        BlockLease lease = pool.Share(sequence.Blocks);
        int cachedBlocks = sequence.Published;
        Try(() => sink.OnStarted(lease, cachedBlocks));
    }

    /// <summary>Tells the sink of blocks whose K/V is final in one layer.</summary>
    public void OnBlocksWritten(int layer, int firstBlock, int count)
    {
        if (Fault is null)
        {
            Try(() => sink.OnBlocksWritten(layer, firstBlock, count));
        }
    }

    public void OnToken(in GeneratedToken token) => _firstToken = token;

    public void OnEnded(Exception? error)
    {
        lock (_lock)
        {
            _ended = true;
        }

        _cancellation.Unregister();
        if (error is not null)
        {
            Try(() => sink.OnFailed(error));
        }
        else if (_firstToken is { } token)
        {
            Try(() => sink.OnCompleted(token));
        }
    }

    private void Try(Action call)
    {
        try
        {
            call();
        }
        catch (Exception e)
        {
            LogSinkThrew(logger, request.Id, e);
            Fault ??= e;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The receiver of prefill {RequestId} threw")]
    private static partial void LogSinkThrew(ILogger logger, string requestId, Exception error);
}
