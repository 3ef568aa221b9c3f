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
    private const byte NoTier = 3;

    private readonly RedisKey[] _keys = names.Workers();

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

        byte[] prompt = Pack(DirectoryChecks.Cap(prefix));
        RedisResult result = await scripts.RunAsync("find blocks", DirectoryScripts.Find, _keys, [prompt], cancellationToken).ConfigureAwait(false);
        var values = (RedisValue[])result!;
        var matches = new PrefixMatch[values.Length / 3];
        for (int i = 0; i < matches.Length; i++)
        {
            matches[i] = new PrefixMatch(values[3 * i]!, (int)values[(3 * i) + 1], (int)values[(3 * i) + 2]);
        }

        Array.Sort(matches, static (left, right) => string.CompareOrdinal(left.WorkerId, right.WorkerId));
        return matches;
    }

    /// <inheritdoc/>
    public async ValueTask<DirectoryUse> GetUseAsync(CancellationToken cancellationToken = default)
    {
        RedisResult result = await scripts.RunAsync("read the directory's use", DirectoryScripts.Use, _keys, [], cancellationToken).ConfigureAwait(false);
        var values = (RedisValue[])result!;
        return new DirectoryUse((long)values[0], (int)values[1]);
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
