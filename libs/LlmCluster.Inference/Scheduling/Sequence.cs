using System.Runtime.InteropServices;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Inference.Scheduling;

/// <summary>
/// A sequence that the engine works on: its tokens, how many of them have K/V in the pool, and the blocks that hold
/// it. Touched by the engine's thread alone once it was handed over.
/// </summary>
internal sealed class Sequence
{
    private readonly int _blockSize;
    private readonly int _maxTokens;
    private readonly BlockHash _root;

    // Hashes of all full blocks of the tokens so far, computed or not.
    private readonly List<BlockHash> _hashes;
    private readonly List<int> _blocks = [];
    private int[] _tokens;
    private int _cachedBlocks;

    /// <param name="request">The request; it was validated.</param>
    /// <param name="root">Parent hash of the first block.</param>
    /// <param name="blockSize">Tokens in a block.</param>
    /// <param name="maxPositions">Longest sequence that the model takes.</param>
    /// <param name="output">Told of tokens and of the end.</param>
    /// <param name="canBePreempted">Whether its blocks may be taken from it, to be computed again later.</param>
    /// <param name="forecast">What is predicted of its output; null where nothing is.</param>
    public Sequence(
        GenerationRequest request, BlockHash root, int blockSize, int maxPositions, ISequenceOutput output, bool canBePreempted, SequenceForecast? forecast = null)
    {
        Forecast = forecast;
        Request = request;
        Output = output;
        CanBePreempted = canBePreempted;
        _root = root;
        _blockSize = blockSize;
        _maxTokens = Math.Min(request.MaxTokens, maxPositions - request.Prompt.Length);
        _tokens = request.Prompt;
        Length = _tokens.Length;
        _hashes = [.. BlockHash.Chain(root, _tokens, blockSize)];
        Sampling = new SequenceSampling(request.Sampling, request.Prompt, request.StopTokenIds, request.MinTokens);
    }

    public GenerationRequest Request { get; }

    public ISequenceOutput Output { get; }

    public SequenceSampling Sampling { get; }

    public bool CanBePreempted { get; }

    /// <summary>What is predicted of its output; null where nothing is.</summary>
    public SequenceForecast? Forecast { get; }

    /// <summary>Where the sequence is.</summary>
    public SequenceState State { get; set; }

    /// <summary>When it was queued, by <see cref="Environment.TickCount64"/>.</summary>
    public long QueuedAt { get; set; }

    /// <summary>Tokens whose K/V was in the pool when it was queued last; what it will find may be more or less.</summary>
    public int CachedWhenQueued { get; set; }

    /// <summary>Whether it had its place in the batch already; it waits again when it was preempted.</summary>
    public bool WasAdmitted { get; private set; }

    /// <summary>Prompt and answer so far.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Length);

    /// <summary>Tokens of prompt and answer so far.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens of the answer so far.</summary>
    public int Generated => Length - Request.Prompt.Length;

    /// <summary>Tokens that it is predicted to generate still: the median; 0 where nothing is predicted.</summary>
    public int PredictedTokens => Math.Max((Forecast?.Median(Generated) ?? 0) - Generated, 0);

    /// <summary>Leading tokens whose K/V is in the pool.</summary>
    public int Computed { get; private set; }

    /// <summary>Tokens to compute before the next one can be chosen; 1 while decoding.</summary>
    public int Remaining => Length - Computed;

    /// <summary>The block table.</summary>
    public ReadOnlySpan<int> Blocks => CollectionsMarshal.AsSpan(_blocks);

    /// <summary>Blocks that it holds and did not find in the cache.</summary>
    public int OwnBlocks => Math.Max(_blocks.Count - _cachedBlocks, 0);

    /// <summary>Blocks that all tokens so far take.</summary>
    public int BlocksNeeded => BlocksFor(Length);

    /// <summary>Blocks that the sequence takes when it is as long as it can get.</summary>
    public int MostBlocks => BlocksFor(Request.Prompt.Length + _maxTokens);

    /// <summary>How often its blocks were taken from it.</summary>
    public int Preemptions { get; set; }

    /// <summary>Whether the next token to compute has no block yet.</summary>
    public bool NeedsBlock => Computed == _blocks.Count * _blockSize;

    /// <summary>Leading blocks that are findable under their hash.</summary>
    public int Published { get; private set; }

    /// <summary>
    /// Hashes of the blocks that may be taken from the cache: not the one with the last token, which must be computed
    /// for its logits.
    /// </summary>
    public ReadOnlySpan<BlockHash> Reusable =>
        CollectionsMarshal.AsSpan(_hashes)[..((Length - 1) / _blockSize)];

    /// <summary>References that keep its leading blocks in the pool while it waits; null for none.</summary>
    public BlockLease? Prefix { get; set; }

    /// <summary>Content for its next blocks that is on its way up from a tier. Until that is over, the sequence is neither computed nor preempted.</summary>
    public TierLoad? Load { get; set; }

    /// <summary>The running sequence that computes this waiting one's next block, and the index of that block.</summary>
    public (Sequence Sequence, int Block)? WaitsFor { get; set; }

    /// <summary>Whether this running sequence is going to publish a block with that hash.</summary>
    public bool IsComputing(int block, BlockHash hash) => block >= Published && block < _hashes.Count && _hashes[block] == hash;

    /// <summary>Takes the blocks for all tokens over, the first of which hold their content already.</summary>
    public void TakeBlocks(BlockLease lease, int cachedBlocks)
    {
        _blocks.AddRange(lease.Detach());
        WasAdmitted = true;
        ReleasePrefix();
        Computed = cachedBlocks * _blockSize;
        Published = cachedBlocks;
        _cachedBlocks = cachedBlocks;
    }

    /// <summary>Takes note of the blocks that a load has filled, which is over.</summary>
    public void TakeLoaded()
    {
        int loaded = Load!.Loaded;
        Load = null;
        Computed += loaded * _blockSize;
        Published += loaded;
    }

    /// <summary>Takes blocks over that hold K/V of all tokens, computed elsewhere, and publishes the full ones.</summary>
    public void TakeComputedBlocks(BlockLease lease, BlockPool pool)
    {
        _blocks.AddRange(lease.Detach());
        WasAdmitted = true;
        Advance(Length, pool);
    }

    /// <summary>Adds a block for tokens to come.</summary>
    public void AddBlock(int block) => _blocks.Add(block);

    /// <summary>Takes note that K/V of so many more tokens is in the pool, and publishes the blocks that became full.</summary>
    public void Advance(int count, BlockPool pool)
    {
        Computed += count;
        for (; Published < Computed / _blockSize; Published++)
        {
            pool.Publish(_blocks[Published], _hashes[Published]);
        }
    }

    /// <summary>Gives all blocks back; published ones stay in the cache.</summary>
    public void ReleaseBlocks(BlockPool pool)
    {
        // One that can't be stopped at once has its own references on the blocks.
        Load?.TryStop();
        Load = null;
        if (_blocks.Count > 0)
        {
            pool.Release(Blocks);
            _blocks.Clear();
        }

        ReleasePrefix();
        Computed = 0;
        Published = 0;
    }

    /// <summary>Gives the references up that keep its leading blocks in the pool.</summary>
    /// <returns>Whether there were any.</returns>
    public bool ReleasePrefix()
    {
        BlockLease? prefix = Prefix;
        Prefix = null;
        prefix?.Dispose();
        return prefix is not null;
    }

    private int BlocksFor(int tokens) => (tokens + _blockSize - 1) / _blockSize;

    /// <summary>Adds a generated token.</summary>
    /// <returns>Whether, and why, the sequence ends with it.</returns>
    public FinishReason Append(int token)
    {
        if (Length == _tokens.Length)
        {
            int capacity = Math.Min(Request.Prompt.Length + _maxTokens, Length + Math.Max(Length / 2, 64));
            int[] tokens = new int[Math.Max(capacity, Length + 1)];
            Tokens.CopyTo(tokens);
            _tokens = tokens;
        }

        _tokens[Length++] = token;
        Sampling.Append(token);
        if (Length % _blockSize == 0)
        {
            BlockHash parent = _hashes.Count > 0 ? _hashes[^1] : _root;
            _hashes.Add(parent.Next(Tokens[^_blockSize..]));
        }

        return Request.StopTokenIds.Contains(token) ? FinishReason.Stop
            : Length - Request.Prompt.Length >= _maxTokens ? FinishReason.Length
            : FinishReason.None;
    }
}

/// <summary>Where a sequence is.</summary>
internal enum SequenceState
{
    /// <summary>Handed over, or in the waiting queue.</summary>
    Waiting,

    /// <summary>In the running batch; it holds blocks.</summary>
    Running,

    /// <summary>Ended; it holds nothing.</summary>
    Ended,
}
