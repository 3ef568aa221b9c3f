namespace LlmCluster.Cluster.Redis.Scripts;

/// <summary>
/// Beginnings of the scripts that have to do with workers. Redis runs a script as one step; leases run by its own clock, so that clocks of workers and gateways
/// don't matter.
/// </summary>
internal static class CommonScript
{
    /// <summary>Names the keys, and reads the clock.</summary>
    /// <remarks>
    /// KEYS: hash id → membership, hash id → load, sorted set id → end of the lease in milliseconds since 1970, set of ids that are draining, channel of changes;
    /// for the directory see <see cref="DirectoryScripts"/>, for reservations <see cref="ReservationScripts"/>. Membership and load are JSON and opaque here.
    /// </remarks>
    public const string Keys =
        """
        local members, loads, leases, draining, changed,
            slots, owners, entries, dead, swept, buckets,
            rooms, reservations, reservation_ends = unpack(KEYS)
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        local function is_live(id)
            local ends = redis.call('ZSCORE', leases, id)
            return ends and tonumber(ends) > now
        end

        """;

    /// <summary>Ends sessions of workers: the slot of one in the directory dies with all its entries, and what is reserved on it counts no more.</summary>
    public const string Members = Keys +
        """
        local function retire_slot(id)
            local slot = redis.call('HGET', slots, id)
            if not slot then
                return
            end
            redis.call('HDEL', slots, id)
            redis.call('HDEL', owners, slot)
            if redis.call('HEXISTS', entries, slot) == 1 then
                redis.call('HSET', dead, slot, redis.call('GET', swept) or '0')
            end
        end

        local function remove(id)
            redis.call('HDEL', members, id)
            redis.call('HDEL', loads, id)
            redis.call('SREM', draining, id)
            redis.call('HDEL', rooms, id)
            retire_slot(id)
            return redis.call('ZREM', leases, id)
        end

        local function remove_expired()
            local expired = redis.call('ZRANGEBYSCORE', leases, '-inf', string.format('%.0f', now), 'LIMIT', 0, 1000)
            for _, id in ipairs(expired) do
                remove(id)
            end
            if #expired > 0 then
                redis.call('PUBLISH', changed, '')
            end
        end

        """;
}
