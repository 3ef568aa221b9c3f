using LlmCluster.Cluster.Directory;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>
/// A random history of workers that hold blocks of a tree of prompts by the rule that they hold the beginning of a prefix in no slower tier than its end, and what a
/// directory must say of them.
/// </summary>
internal sealed class DirectoryHistory
{
    private const int Blocks = 300;

    private readonly ulong[] _hashes = new ulong[Blocks];
    private readonly int[] _parents = new int[Blocks];
    private readonly string[] _ids = [.. Enumerable.Range(0, 12).Select(i => $"worker-{i}")];
    private readonly HashSet<string> _members = [];
    private readonly SortedDictionary<string, SortedDictionary<int, BlockTier>> _held = new(StringComparer.Ordinal);

    public DirectoryHistory(int seed)
    {
        Random = new Random(seed);
        for (int block = 0; block < Blocks; block++)
        {
            // Few beginnings, so that blocks meet in Redis' buckets; some ends are digits, which Redis would keep as a number.
            ulong end = block % 3 == 0 ? 0x3030_3030_3030 + (ulong)block : (ulong)Random.NextInt64(1L << 48);
            _hashes[block] = ((ulong)Random.Next(4) << 62) | (end & 0xFFFF_FFFF_FFFF);

            // Mostly long chains, with a branch now and then.
            _parents[block] = block % 60 == 0 ? -1 : Random.Next(10) == 0 ? Random.Next(block / 60 * 60, block) : block - 1;
        }
    }

    public Random Random { get; }

    public string AnyWorker() => _ids[Random.Next(_ids.Length)];

    public bool IsMember(string id) => _members.Contains(id);

    public bool HasSession(string id) => _held.ContainsKey(id);

    public void Join(string id) => _members.Add(id);

    public void End(string id)
    {
        _members.Remove(id);
        _held.Remove(id);
    }

    /// <summary>Changes that keep the rule; those of a worker that is no member come to nothing.</summary>
    public BlockChange[] Change(string id, bool restart)
    {
        SortedDictionary<int, BlockTier> held = restart ? [] : _held[id];
        if (IsMember(id))
        {
            _held[id] = held;
        }

        var changes = new List<BlockChange>();
        for (int count = Random.Next(1, 12); count > 0; count--)
        {
            int block = Random.Next(Blocks);
            if (Random.Next(3) == 0)
            {
                // The prompt up to here is used: all of it comes to the pool.
                foreach (int each in PathTo(block))
                {
                    Set(each, BlockTier.Device);
                }
            }
            else if (held.TryGetValue(block, out BlockTier tier))
            {
                // This block moves one tier down, what follows it before it, all of it or to the same tier.
                Demote(block, tier == BlockTier.Disk ? null : tier + 1);
            }
        }

        return [.. changes];

        void Demote(int block, BlockTier? to)
        {
            for (int child = block + 1; child < Blocks; child++)
            {
                if (_parents[child] == block && held.TryGetValue(child, out BlockTier tier) && (to is null || tier < to))
                {
                    Demote(child, to is null || Random.Next(2) == 0 ? null : to);
                }
            }

            Set(block, to);
        }

        void Set(int block, BlockTier? tier)
        {
            changes.Add(new BlockChange(_hashes[block], tier));
            if (tier is { } kept)
            {
                held[block] = kept;
            }
            else
            {
                held.Remove(block);
            }
        }
    }

    /// <summary>A path of the tree, cut or with an unknown end.</summary>
    public ulong[] AnyPrompt()
    {
        IEnumerable<ulong> prompt = PathTo(Random.Next(Blocks)).Select(block => _hashes[block]);
        return [.. prompt, .. Enumerable.Range(0, Random.Next(20)).Select(i => (ulong)i)];
    }

    public PrefixMatch[] Find(ulong[] prompt)
    {
        var matches = new List<PrefixMatch>();
        foreach ((string id, SortedDictionary<int, BlockTier> held) in _held)
        {
            Dictionary<ulong, BlockTier> tiers = held.ToDictionary(pair => _hashes[pair.Key], pair => pair.Value);
            int any = prompt.TakeWhile(tiers.ContainsKey).Count();
            if (any > 0)
            {
                matches.Add(new PrefixMatch(id, prompt.TakeWhile(hash => tiers.TryGetValue(hash, out BlockTier tier) && tier == BlockTier.Device).Count(), any));
            }
        }

        return [.. matches];
    }

    private List<int> PathTo(int block)
    {
        var path = new List<int>();
        for (; block >= 0; block = _parents[block])
        {
            path.Insert(0, block);
        }

        return path;
    }
}
