namespace LlmCluster.Cluster.Redis.Scripts;

/// <summary>Joining, staying, leaving and reading. Keys of membership live as long as the longest lease.</summary>
internal static class MembershipScripts
{
    /// <summary>ARGV: id, membership, load, lease in ms, 1 while draining. Publishes when membership is new or another.</summary>
    public const string Heartbeat = CommonScript.Members + DirectoryScripts.Sweep +
        """
        local id, membership, lease = ARGV[1], ARGV[2], tonumber(ARGV[4])
        local joins = not is_live(id)
        if joins then
            retire_slot(id)

            -- A gateway may have renewed reservations on this worker before the worker itself found the emptied Redis: those stay.
            local room = redis.call('HGET', rooms, id)
            if room then
                room = cmsgpack.unpack(room)
                if room[6] == 1 then
                    room[6] = 0
                    redis.call('HSET', rooms, id, cmsgpack.pack(room))
                else
                    redis.call('HDEL', rooms, id)
                end
            end
        end
        local other = joins or redis.call('HGET', members, id) ~= membership
        if other then
            redis.call('HSET', members, id, membership)
            redis.call(ARGV[5] == '1' and 'SADD' or 'SREM', draining, id)
        end
        redis.call('HSET', loads, id, ARGV[3])
        redis.call('ZADD', leases, string.format('%.0f', now + lease), id)
        for _, key in ipairs({members, loads, leases, draining}) do
            if redis.call('PTTL', key) < lease then
                redis.call('PEXPIRE', key, ARGV[4])
            end
        end
        if other then
            redis.call('PUBLISH', changed, id)
        end
        sweep()
        return other and 1 or 0
        """;

    /// <summary>ARGV: id.</summary>
    public const string Leave = CommonScript.Members +
        """
        local left = remove(ARGV[1])
        if left == 1 then
            redis.call('PUBLISH', changed, ARGV[1])
        end
        return left
        """;

    /// <summary>
    /// Drops those whose lease has run out; returns for each of the others membership, load, and what is reserved: blocks, prompt tokens, sequences.
    /// </summary>
    public const string Read = CommonScript.Members + DirectoryScripts.Sweep + ReservationScripts.Rooms +
        """
        remove_expired()
        expire_reservations()
        local workers = {}
        local all = redis.call('HGETALL', members)
        for i = 1, #all, 2 do
            local room = get_room(all[i])
            workers[#workers + 1] = all[i + 1]
            workers[#workers + 1] = redis.call('HGET', loads, all[i]) or '{}'
            for field = 3, 5 do
                workers[#workers + 1] = room and room[field] or 0
            end
        end
        sweep()
        return workers
        """;
}
