using System.Buffers.Binary;
using LlmCluster.Cluster.Directory;
using LlmCluster.Cluster.Redis.Scripts;
using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>Which worker holds which block, in Redis; <see cref="DirectoryScripts"/> has the format.</summary>
internal sealed class RedisPrefixDirectory(RedisScriptRunner scripts, RedisKeys names) : IPrefixDirectory
{
    /// <summary>Changes in one script: Redis serves nobody else while it runs.</summary>
    private const int ChangesPerScript = 512;

    private const int HashBytes = sizeof(ulong);
    private const int ChangeBytes = HashBytes + 1;
    private const int HolderBytes = sizeof(ushort);
    private const int Tiers = 4;
    private const byte NoTier = 3;

    private readonly RedisKey[] _keys = names.Workers();
    private readonly RedisKey[] _lookupKeys = names.Lookup();

    /// <inheritdoc/>
    public async ValueTask<bool> PublishAsync(
        string workerId, ReadOnlyMemory<BlockChange> changes, bool restart, CancellationToken cancellationToken = default)
    {
        DirectoryChecks.Changes(workerId, changes.Span);
        int done = 0;
        do
        {
            ReadOnlyMemory<BlockChange> part = changes.Slice(done, Math.Min(ChangesPerScript, changes.Length - done));
            RedisValue[] arguments = [workerId, Pack(part.Span), restart && done == 0];
            if ((int)await scripts.RunAsync("publish blocks", DirectoryScripts.Publish, _keys, arguments, cancellationToken).ConfigureAwait(false) == 0)
            {
                return false;
            }

            done += part.Length;
        }
        while (done < changes.Length);
        return true;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<PrefixMatch>> FindAsync(ReadOnlyMemory<ulong> prefix, CancellationToken cancellationToken = default)
    {
        if (prefix.IsEmpty)
        {
            return [];
        }

        ReadOnlySpan<ulong> capped = DirectoryChecks.Cap(prefix);
        int count = capped.Length;
        RedisValue[] arguments = [Pack(capped)];
        RedisResult result = await scripts.RunAsync("find blocks", DirectoryScripts.Find, _lookupKeys, arguments, cancellationToken).ConfigureAwait(false);
        return ((RedisResult[])result!) is [RedisResult holders, RedisResult runs] ? Matches((RedisValue[])holders!, (RedisValue[])runs!, count) : [];
    }

    /// <inheritdoc/>
    public async ValueTask<DirectoryUse> GetUseAsync(CancellationToken cancellationToken = default)
    {
        RedisResult result = await scripts.RunAsync("read the directory's use", DirectoryScripts.Use, _keys, [], cancellationToken).ConfigureAwait(false);
        var values = (RedisValue[])result!;
        return new DirectoryUse((long)values[0], (int)values[1]);
    }

    private static PrefixMatch[] Matches(RedisValue[] holders, RedisValue[] runs, int count)
    {
        // By slot, for the holders of the first block that live.
        var matches = new Dictionary<int, PrefixMatch>(holders.Length);
        byte[] first = runs[1]!;
        for (int i = 0; i < holders.Length; i++)
        {
            string id = holders[i]!;
            if (id.Length > 0)
            {
                matches.Add(Holder(first, HolderBytes * i).Slot, new PrefixMatch(id, 0, 0));
            }
        }

        for (int run = 0; run < runs.Length; run += 2)
        {
            int from = (int)runs[run];
            int to = run + 2 < runs.Length ? (int)runs[run + 2] : count;
            byte[] value = runs[run + 1]!;
            for (int at = 0; at < value.Length; at += HolderBytes)
            {
                (int slot, BlockTier tier) = Holder(value, at);
                if (matches.TryGetValue(slot, out PrefixMatch match) && match.Blocks == from)
                {
                    matches[slot] = match with { Blocks = to, DeviceBlocks = tier == BlockTier.Device && match.DeviceBlocks == from ? to : match.DeviceBlocks };
                }
            }
        }

        return [.. matches.Values.OrderBy(match => match.WorkerId, StringComparer.Ordinal)];
    }

    private static (int Slot, BlockTier Tier) Holder(byte[] value, int at)
    {
        int holder = BinaryPrimitives.ReadUInt16BigEndian(value.AsSpan(at));
        return (holder / Tiers, (BlockTier)(holder % Tiers));
    }

    private static byte[] Pack(ReadOnlySpan<BlockChange> changes)
    {
        byte[] bytes = new byte[changes.Length * ChangeBytes];
        for (int i = 0; i < changes.Length; i++)
        {
            Span<byte> change = bytes.AsSpan(i * ChangeBytes, ChangeBytes);
            BinaryPrimitives.WriteUInt64BigEndian(change, changes[i].Hash);
            change[HashBytes] = changes[i].Tier is { } tier ? (byte)tier : NoTier;
        }

        return bytes;
    }

    private static byte[] Pack(ReadOnlySpan<ulong> hashes)
    {
        byte[] bytes = new byte[hashes.Length * HashBytes];
        for (int i = 0; i < hashes.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * HashBytes), hashes[i]);
        }

        return bytes;
    }
}
