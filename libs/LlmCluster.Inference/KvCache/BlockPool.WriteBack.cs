using LlmCluster.Inference.KvCache.Tiers;

namespace LlmCluster.Inference.KvCache;

/// <content>What tiers below the pool need: blocks can be saved while they are still cached.</content>
public sealed partial class BlockPool
{
    /// <summary>Finds the cached blocks without owner among those that will be taken next.</summary>
    /// <param name="within">How many blocks to take into account; free ones come first.</param>
    /// <param name="found">Takes them, next to be taken first.</param>
    internal void FindNextEvicted(int within, List<CachedBlock> found)
    {
        found.Clear();
        lock (_lock)
        {
            int count = Math.Min(within - _idle.Count(Free), _idle.Count(Cached));
            for (int block = _idle.First(Cached); found.Count < count; block = _idle.Next(block))
            {
                found.Add(new CachedBlock(block, _hashes[block]!.Value));
            }
        }
    }

    /// <summary>Takes a reference on a block without owner, to read its content, so that nobody takes the block meanwhile.</summary>
    /// <returns>False when the block has an owner, or other content by now.</returns>
    internal bool TryPin(CachedBlock block)
    {
        lock (_lock)
        {
            if (_references[block.Block] != 0 || _hashes[block.Block] != block.Hash)
            {
                return false;
            }

            AddReferenceLocked(block.Block);
            return true;
        }
    }

    /// <summary>Gives the reference of <see cref="TryPin"/> back. Having been read makes a block no younger: it goes back to its place.</summary>
    internal void Unpin(int block)
    {
        lock (_lock)
        {
            if (--_references[block] > 0)
            {
                return;
            }

            if (_hashes[block] is null)
            {
                _idle.AddFirst(Free, block);
            }
            else
            {
                int place = _idle.First(Cached);
                while (!_idle.IsEnd(place) && _cachedAt[place] < _cachedAt[block])
                {
                    place = _idle.Next(place);
                }

                _idle.AddBefore(Cached, place, block);
            }
        }

        Released?.Invoke();
    }
}
