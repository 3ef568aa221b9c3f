using System.Threading.Channels;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Scheduling;

namespace LlmCluster.Inference.Engine;

/// <summary>
/// A sequence as its reader sees it. Tokens go through a channel without bound, so that a slow reader never holds the
/// engine up; it holds no more than the sequence's most tokens.
/// </summary>
internal sealed class SequenceGeneration(GenerationRequest request, Action<SequenceGeneration> cancel) : IGeneration, ISequenceOutput
{
    private readonly Channel<GeneratedToken> _tokens = Channel.CreateUnbounded<GeneratedToken>(
        new UnboundedChannelOptions { SingleWriter = true, AllowSynchronousContinuations = false });

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _cachedTokens = -1;
    private int _cancelled;
    private volatile bool _complete;

    public GenerationRequest Request { get; } = request;

    /// <summary>Whether its reader has all that it wants.</summary>
    public bool IsComplete => _complete;

    /// <summary>The sequence; set before anybody else sees it.</summary>
    public Sequence Sequence { get; set; } = null!;

    public int CachedTokens
    {
        get => Math.Max(Volatile.Read(ref _cachedTokens), 0);
        init => _cachedTokens = value;
    }

    public IAsyncEnumerable<GeneratedToken> ReadAllAsync(CancellationToken cancellationToken = default) =>
        _tokens.Reader.ReadAllAsync(cancellationToken);

    public void Complete() => _complete = true;

    public ValueTask DisposeAsync()
    {
        if (!_ended.Task.IsCompleted && Interlocked.Exchange(ref _cancelled, 1) == 0)
        {
            cancel(this);
        }

        return new ValueTask(_ended.Task);
    }

    public void OnAdmitted(Sequence sequence, BlockPool pool)
    {
        // Only the first time: later, its own tokens may be among the cached ones.
        if (_cachedTokens < 0)
        {
            Volatile.Write(ref _cachedTokens, sequence.Computed);
        }
    }

    public void OnToken(in GeneratedToken token) => _tokens.Writer.TryWrite(token);

    public void OnEnded(Exception? error)
    {
        _tokens.Writer.TryComplete(error);
        _ended.TrySetResult();
    }
}
