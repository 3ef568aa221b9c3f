namespace LlmCluster.Cluster.Redis.Scripts;

/// <summary>Room that is promised to requests, in Redis.</summary>
/// <remarks>
/// <para>
/// KEYS: rooms: hash worker → {era, claims, blocks, prompt tokens, sequences, 1 if made while the worker was no member}; reservations: hash id → {worker, era, blocks,
/// prompt tokens, sequences, the next worker, ...}; reservation_ends: sorted set id → end in milliseconds since 1970. Values are MessagePack. All vanish when nothing is
/// reserved, and by themselves after the longest lifetime.
/// </para>
/// <para>
/// A room goes with its worker's session, and a later one of the same worker has another era, so that the end of a claim on the old one takes nothing from the new.
/// </para>
/// </remarks>
internal static class ReservationScripts
{
    /// <summary>Reads and writes rooms, and ends claims and reservations.</summary>
    public const string Rooms =
        """
        local function get_room(worker)
            local room = redis.call('HGET', rooms, worker)
            if not room then
                return nil
            end
            room = cmsgpack.unpack(room)
            if room[6] == 0 and not is_live(worker) then
                redis.call('HDEL', rooms, worker)
                return nil
            end
            return room
        end

        local function set_room(worker, room)
            if room[2] == 0 then
                redis.call('HDEL', rooms, worker)
            else
                redis.call('HSET', rooms, worker, cmsgpack.pack(room))
            end
        end

        -- Takes the claim that begins at an index off its worker's room.
        local function end_claim(claims, at)
            local room = get_room(claims[at])
            if room and room[1] == claims[at + 1] then
                room[2] = room[2] - 1
                for field = 3, 5 do
                    room[field] = room[field] - claims[at + field - 1]
                end
                set_room(claims[at], room)
            end
        end

        local function end_reservation(id)
            local claims = redis.call('HGET', reservations, id)
            redis.call('ZREM', reservation_ends, id)
            if claims then
                redis.call('HDEL', reservations, id)
                claims = cmsgpack.unpack(claims)
                for at = 1, #claims, 5 do
                    end_claim(claims, at)
                end
            end
        end

        local function expire_reservations()
            for round = 1, 100 do
                local expired = redis.call('ZRANGEBYSCORE', reservation_ends, '-inf', string.format('%.0f', now), 'LIMIT', 0, 100)
                for _, id in ipairs(expired) do
                    end_reservation(id)
                end
                if #expired < 100 then
                    return
                end
            end
        end

        """;

    /// <summary>ARGV: id, lifetime in ms, then for each claim: worker, blocks, prompt tokens, sequences, limit of blocks.</summary>
    /// <remarks>
    /// Returns the outcome as a number of <see cref="Reservations.ReserveOutcome"/>, then the number of the claim that was refused from 0, and what is reserved on
    /// its worker; or -1 when the id is in use.
    /// </remarks>
    public const string TryReserve = Write +
        """
        local id, lifetime = ARGV[1], tonumber(ARGV[2])
        if redis.call('HEXISTS', reservations, id) == 1 then
            return {-1}
        end
        for at = 3, #ARGV, 5 do
            local room = get_room(ARGV[at]) or {0, 0, 0, 0, 0, 0}
            local outcome = 0
            if not is_live(ARGV[at]) or redis.call('SISMEMBER', draining, ARGV[at]) == 1 then
                outcome = 2
            elseif room[3] + tonumber(ARGV[at + 1]) > tonumber(ARGV[at + 4]) then
                outcome = 1
            end
            if outcome ~= 0 then
                return {outcome, (at - 3) / 5, room[3], room[4], room[5]}
            end
        end
        local claims = {}
        for at = 3, #ARGV, 5 do
            add_claim(claims, ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
        end
        keep(id, claims, lifetime)
        return {0}
        """;

    /// <summary>ARGV: lifetime in ms, then for each reservation: id, number of claims, and for each claim: worker, blocks, prompt tokens, sequences.</summary>
    public const string Renew = Write +
        """
        local lifetime, at = tonumber(ARGV[1]), 2
        while at <= #ARGV do
            local id, last = ARGV[at], at + 1 + 4 * tonumber(ARGV[at + 1])
            local claims
            if redis.call('HEXISTS', reservations, id) == 0 then
                claims = {}
                for claim = at + 2, last, 4 do
                    add_claim(claims, ARGV[claim], tonumber(ARGV[claim + 1]), tonumber(ARGV[claim + 2]), tonumber(ARGV[claim + 3]))
                end
            end
            keep(id, claims, lifetime)
            at = last + 1
        end
        return 1
        """;

    /// <summary>ARGV: id, worker, 1 to end the claim, 0 to strike its prompt tokens alone.</summary>
    public const string ChangeClaim = Change +
        """
        local id, worker, ends = ARGV[1], ARGV[2], ARGV[3] == '1'
        local claims = redis.call('HGET', reservations, id)
        if not claims then
            return 0
        end
        claims = cmsgpack.unpack(claims)
        for at = 1, #claims, 5 do
            if claims[at] == worker then
                if ends then
                    end_claim(claims, at)
                    for field = 1, 5 do
                        table.remove(claims, at)
                    end
                else
                    local room = get_room(worker)
                    if room and room[1] == claims[at + 1] then
                        room[4] = room[4] - claims[at + 3]
                        set_room(worker, room)
                    end
                    claims[at + 3] = 0
                end
                if #claims == 0 then
                    end_reservation(id)
                else
                    redis.call('HSET', reservations, id, cmsgpack.pack(claims))
                end
                return 1
            end
        end
        return 0
        """;

    /// <summary>ARGV: id.</summary>
    public const string Release = Change +
        """
        end_reservation(ARGV[1])
        return 1
        """;

    /// <summary>Returns for each worker with something reserved: id, blocks, prompt tokens, sequences.</summary>
    public const string Get = Change +
        """
        local all = {}
        for _, worker in ipairs(redis.call('HKEYS', rooms)) do
            local room = get_room(worker)
            if room and room[3] + room[4] + room[5] > 0 then
                all[#all + 1] = worker
                for field = 3, 5 do
                    all[#all + 1] = room[field]
                end
            end
        end
        return all
        """;

    private const string Change = CommonScript.Members + Rooms +
        """
        remove_expired()
        expire_reservations()

        """;

    private const string Write = Change +
        """
        local function add_claim(claims, worker, blocks, tokens, sequences)
            local room = get_room(worker) or {time[1] * 1000000 + time[2], 0, 0, 0, 0, is_live(worker) and 0 or 1}
            room = {room[1], room[2] + 1, room[3] + blocks, room[4] + tokens, room[5] + sequences, room[6]}
            set_room(worker, room)
            for _, value in ipairs({worker, room[1], blocks, tokens, sequences}) do
                claims[#claims + 1] = value
            end
        end

        -- Writes a reservation, or with no claims prolongs it.
        local function keep(id, claims, lifetime)
            if claims then
                redis.call('HSET', reservations, id, cmsgpack.pack(claims))
            end
            redis.call('ZADD', reservation_ends, string.format('%.0f', now + lifetime), id)
            for _, key in ipairs({rooms, reservations, reservation_ends}) do
                if redis.call('PTTL', key) < lifetime then
                    redis.call('PEXPIRE', key, string.format('%.0f', lifetime))
                end
            end
        end

        """;
}
