namespace LlmCluster.Cluster.Redis;

/// <summary>
/// What Redis runs as one step. Leases run by Redis' own clock, so that clocks of workers and gateways don't matter.
/// </summary>
/// <remarks>
/// KEYS: [1] hash id → membership, [2] hash id → load, [3] sorted set id → end of the lease in milliseconds since 1970.
/// Membership and load are JSON and opaque here. All keys share a hash tag and live as long as the longest lease.
/// </remarks>
internal static class RedisScripts
{
    private const string Now =
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        """;

    /// <summary>ARGV: id, membership, load, lease in ms, channel. Publishes when membership is new or another.</summary>
    public const string Heartbeat = Now +
        """
        local id, membership, lease = ARGV[1], ARGV[2], tonumber(ARGV[4])
        local ends = redis.call('ZSCORE', KEYS[3], id)
        local changed = not ends or tonumber(ends) <= now or redis.call('HGET', KEYS[1], id) ~= membership
        if changed then
            redis.call('HSET', KEYS[1], id, membership)
        end
        redis.call('HSET', KEYS[2], id, ARGV[3])
        redis.call('ZADD', KEYS[3], string.format('%.0f', now + lease), id)
        for i = 1, 3 do
            if redis.call('PTTL', KEYS[i]) < lease then
                redis.call('PEXPIRE', KEYS[i], ARGV[4])
            end
        end
        if changed then
            redis.call('PUBLISH', ARGV[5], id)
        end
        return changed and 1 or 0
        """;

    /// <summary>ARGV: id, channel.</summary>
    public const string Leave =
        """
        redis.call('HDEL', KEYS[1], ARGV[1])
        redis.call('HDEL', KEYS[2], ARGV[1])
        local left = redis.call('ZREM', KEYS[3], ARGV[1])
        if left == 1 then
            redis.call('PUBLISH', ARGV[2], ARGV[1])
        end
        return left
        """;

    /// <summary>ARGV: channel. Drops those whose lease has run out; returns membership, load, membership, load...</summary>
    public const string Read = Now +
        """
        local dead = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now))
        for _, id in ipairs(dead) do
            redis.call('HDEL', KEYS[1], id)
            redis.call('HDEL', KEYS[2], id)
            redis.call('ZREM', KEYS[3], id)
        end
        if #dead > 0 then
            redis.call('PUBLISH', ARGV[1], '')
        end
        local workers = {}
        local members = redis.call('HGETALL', KEYS[1])
        for i = 1, #members, 2 do
            workers[i] = members[i + 1]
            workers[i + 1] = redis.call('HGET', KEYS[2], members[i]) or '{}'
        end
        return workers
        """;
}
