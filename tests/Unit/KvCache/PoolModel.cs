using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache;

/// <summary>What a <see cref="BlockPool"/> must do, with plain lists, beside a real one that does it.</summary>
internal sealed class PoolModel
{
    private readonly BlockPool _pool;
    private readonly List<Owner> _owners = [];
    private readonly Dictionary<BlockHash, int> _findable = [];

    // Unreferenced blocks, next to be taken first.
    private readonly List<int> _available;

    public PoolModel(int blockCount)
    {
        _pool = new BlockPool(blockCount, 4);
        _available = [.. Enumerable.Range(0, blockCount)];
    }

    public void Reserve(int prompt, int length, int blockCount, int keep)
    {
        BlockHash[] prefix = Prefix(prompt, length);
        int hits = prefix.TakeWhile(_findable.ContainsKey).Count();
        int[] hitBlocks = [.. prefix[..hits].Select(h => _findable[h])];
        bool fits = _available.Except(hitBlocks).Count() - keep >= blockCount - hits;

        BlockLease? lease = _pool.TryReserve(prefix, blockCount, out int cached, keep);

        Assert.Equal(fits, lease is not null);
        if (lease is null)
        {
            return;
        }

        Assert.Equal(hits, cached);
        _available.RemoveAll(hitBlocks.Contains);
        int[] fresh = [.. _available.Take(blockCount - hits)];
        foreach (int block in fresh)
        {
            Take(block);
        }

        Assert.Equal([.. hitBlocks, .. fresh], lease.Blocks.ToArray());
        _owners.Add(new Owner(lease, prompt, [.. lease.Blocks], hits));
    }

    public void Grow(int choice)
    {
        if (_owners.Count == 0)
        {
            return;
        }

        bool can = _pool.TryAllocate(out int block);
        Assert.Equal(_available.Count > 0, can);
        if (can)
        {
            Assert.Equal(_available[0], block);
            Take(block);
            Pick(choice).Blocks.Add(block);
        }
    }

    public void Publish(int choice)
    {
        if (_owners.Count == 0)
        {
            return;
        }

        Owner owner = Pick(choice);
        if (owner.Published == owner.Blocks.Count)
        {
            return;
        }

        int block = owner.Blocks[owner.Published++];
        BlockHash hash = Prefix(owner.Prompt, owner.Published)[^1];
        _pool.Publish(block, hash);
        if (!_findable.ContainsValue(block))
        {
            _findable.TryAdd(hash, block);
        }
    }

    public void Share(int choice)
    {
        if (_owners.Count > 0)
        {
            Owner owner = Pick(choice);
            _owners.Add(new Owner(_pool.Share(owner.Blocks.ToArray()), owner.Prompt, [.. owner.Blocks], owner.Blocks.Count));
        }
    }

    public void Release(int choice)
    {
        if (_owners.Count == 0)
        {
            return;
        }

        Owner owner = Pick(choice);
        _owners.Remove(owner);
        int[] leased = [.. owner.Lease.Blocks];
        int[] grown = [.. owner.Blocks.Skip(leased.Length)];
        _pool.Release(grown);
        owner.Lease.Dispose();
        foreach (int block in owner.Blocks.AsEnumerable().Reverse())
        {
            if (_owners.Any(o => o.Blocks.Contains(block)))
            {
                continue;
            }

            if (_findable.ContainsValue(block))
            {
                _available.Add(block);
            }
            else
            {
                _available.Insert(0, block);
            }
        }
    }

    public void Clear()
    {
        _pool.ClearCache();
        _findable.Clear();
    }

    public void Check()
    {
        int cached = _available.Count(_findable.ContainsValue);
        int referenced = _owners.SelectMany(o => o.Blocks).Distinct().Count();
        BlockPoolCounts counts = _pool.Counts;
        Assert.Equal(new BlockPoolCounts(_pool.BlockCount, _available.Count - cached, cached, referenced), counts);
        Assert.Equal(counts.Total, counts.Free + counts.Cached + counts.Referenced);
        for (int prompt = 0; prompt < 4; prompt++)
        {
            BlockHash[] prefix = Prefix(prompt, 5);
            Assert.Equal(prefix.TakeWhile(_findable.ContainsKey).Count(), _pool.CountPrefix(prefix));
        }
    }

    // Prompts 0 and 1 share their first two blocks, and so do 2 and 3.
    private static BlockHash[] Prefix(int prompt, int length) => BlockPoolTests.Chain(
        [.. Enumerable.Range(0, length).Select(i => i < 2 ? (10 * (prompt / 2)) + i : (100 * prompt) + i)]);

    private Owner Pick(int choice) => _owners[choice % _owners.Count];

    private void Take(int block)
    {
        _available.Remove(block);
        foreach (BlockHash hash in _findable.Where(f => f.Value == block).Select(f => f.Key).ToArray())
        {
            _findable.Remove(hash);
        }
    }

    private sealed class Owner(BlockLease lease, int prompt, List<int> blocks, int published)
    {
        public BlockLease Lease { get; } = lease;

        public int Prompt { get; } = prompt;

        public List<int> Blocks { get; } = blocks;

        public int Published { get; set; } = published;
    }
}
