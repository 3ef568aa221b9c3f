using LlmCluster.Cluster.Directory;

namespace LlmCluster.Bench.Directories;

/// <summary>
/// Conversations whose blocks workers hold. Each begins with one of 64 system prompts and goes on with blocks of its own: one in 64 is a long document, the others have
/// 16 to 1,024 blocks, short ones being more frequent. One worker holds all of it, the end in host memory; up to two others hold a part of it, in either tier, as workers
/// do that had an earlier turn.
/// </summary>
internal sealed class DirectoryCorpus
{
    /// <summary>Blocks of a long document.</summary>
    public const int LongBlocks = 4608;

    private const int SystemPrompts = 64;
    private const int DocumentEvery = 64;
    private const int ShortestConversation = 16;
    private const int LongestConversation = 1024;

    private readonly Random _random = new(1);
    private readonly List<BlockChange>[] _changes;
    private readonly Dictionary<ulong, BlockTier>[] _systemHeld;

    /// <summary>Makes up conversations until there are so many different blocks, or a few more.</summary>
    public DirectoryCorpus(int blocks, int workers)
    {
        _changes = [.. Enumerable.Range(0, workers).Select(_ => new List<BlockChange>())];
        _systemHeld = [.. Enumerable.Range(0, workers).Select(_ => new Dictionary<ulong, BlockTier>())];
        ulong[][] systems = [.. Enumerable.Range(0, SystemPrompts).Select(_ => Hashes(_random.Next(8, 129)))];
        var used = new HashSet<ulong[]>();
        var conversations = new List<ulong[]>();
        while (Blocks < blocks)
        {
            // The few first system prompts begin most conversations.
            double share = _random.NextDouble();
            ulong[] system = systems[(int)(share * share * SystemPrompts)];
            double ratio = (double)LongestConversation / ShortestConversation;
            int own = conversations.Count % DocumentEvery == 0 ? LongBlocks : (int)(ShortestConversation * Math.Pow(ratio, _random.NextDouble()));
            own = Math.Min(own, blocks - Blocks);
            ulong[] conversation = [.. system, .. Hashes(own)];
            Blocks += own + (used.Add(system) ? system.Length : 0);
            conversations.Add(conversation);
            Hold(conversation, system.Length);
        }

        Conversations = conversations;
    }

    /// <summary>Different blocks.</summary>
    public int Blocks { get; private set; }

    /// <summary>The blocks of each conversation.</summary>
    public IReadOnlyList<ulong[]> Conversations { get; }

    /// <summary>What each worker publishes.</summary>
    public IReadOnlyList<IReadOnlyList<BlockChange>> Changes => _changes;

    private ulong[] Hashes(int count) => [.. Enumerable.Range(0, count).Select(_ => (ulong)_random.NextInt64(long.MinValue, long.MaxValue))];

    private void Hold(ulong[] conversation, int system)
    {
        int[] workers = [.. Enumerable.Range(0, _changes.Length)];
        int holders = Math.Min(workers.Length, _random.Next(4) switch { 0 => 3, 1 => 2, _ => 1 });
        for (int i = 0; i < holders; i++)
        {
            int other = _random.Next(i, workers.Length);
            (workers[i], workers[other]) = (workers[other], workers[i]);
            int depth = i == 0 ? conversation.Length : _random.Next(system, conversation.Length + 1);
            int device = _random.Next(depth / 2, depth + 1);
            for (int block = 0; block < depth; block++)
            {
                BlockTier tier = block < device ? BlockTier.Device : BlockTier.Host;
                if (block >= system || IsNews(workers[i], conversation[block], tier))
                {
                    _changes[workers[i]].Add(new BlockChange(conversation[block], tier));
                }
            }
        }
    }

    // A system prompt that the worker holds already is not published again, unless it comes to a faster tier.
    private bool IsNews(int worker, ulong hash, BlockTier tier)
    {
        if (_systemHeld[worker].TryGetValue(hash, out BlockTier known) && known <= tier)
        {
            return false;
        }

        _systemHeld[worker][hash] = tier;
        return true;
    }
}
