namespace LlmCluster.Cluster.Redis.Scripts;

/// <summary>The prefix-cache directory in Redis.</summary>
/// <remarks>
/// <para>
/// The first two bytes of a block's hash name one of 65,536 small hashes ("buckets"), the other six the field in it, so that Redis keeps entries packed one after another
/// instead of each with a table entry and objects of its own. The value has two bytes for each holder, ordered by slot: slot × 4 + tier, the higher byte first.
/// </para>
/// <para>
/// A slot stands for one session of a worker. It dies with the worker's lease; from then on its entries are passed over, and a sweep drops them, some buckets with
/// each heartbeat, publication and read of workers. Only then is the slot's number used again.
/// </para>
/// <para>
/// KEYS: slots: hash id → slot; owners: hash slot → id, of living sessions; entries: hash slot → number of its entries; dead: hash slot → what "swept" was when it
/// died; swept: number of buckets that were ever swept; buckets: beginning of the buckets' names.
/// </para>
/// </remarks>
internal static class DirectoryScripts
{
    /// <summary>Sweeps at most 64 buckets, or as many as have 1,000 blocks; nothing when no slot is dead.</summary>
    public const string Sweep =
        """
        local function sweep()
            local list = redis.call('HGETALL', dead)
            if #list == 0 then
                return
            end
            local died, dropped = {}, {}
            for i = 1, #list, 2 do
                died[tonumber(list[i])] = tonumber(list[i + 1])
            end
            local position, blocks = tonumber(redis.call('GET', swept) or '0'), 0
            local last = position + 64
            while position < last and blocks < 1000 do
                local at = position % 65536
                local bucket = buckets .. string.char(math.floor(at / 256), at % 256)
                local content = redis.call('HGETALL', bucket)
                for i = 1, #content, 2 do
                    local holders, kept = content[i + 1], ''
                    for j = 1, #holders, 2 do
                        local high, low = string.byte(holders, j, j + 1)
                        local slot = math.floor((high * 256 + low) / 4)
                        if died[slot] then
                            dropped[slot] = (dropped[slot] or 0) + 1
                        else
                            kept = kept .. string.sub(holders, j, j + 1)
                        end
                    end
                    if kept == '' then
                        redis.call('HDEL', bucket, content[i])
                    elseif kept ~= holders then
                        redis.call('HSET', bucket, content[i], kept)
                    end
                end
                blocks = blocks + #content / 2
                position = position + 1
            end
            redis.call('SET', swept, string.format('%.0f', position))
            for slot, since in pairs(died) do
                local left = redis.call('HINCRBY', entries, slot, string.format('%d', -(dropped[slot] or 0)))
                if left <= 0 or position - since >= 65536 then
                    redis.call('HDEL', entries, slot)
                    redis.call('HDEL', dead, slot)
                end
            end
        end

        """;

    /// <summary>
    /// ARGV: id, changes of nine bytes each: hash and tier (3: held no more), 1 to begin a new session. Returns 1 when noted, 0 when the worker is no member or has no
    /// session.
    /// </summary>
    public const string Publish = CommonScript.Members + Sweep +
        """
        local id, batch = ARGV[1], ARGV[2]
        if not is_live(id) then
            return 0
        end
        sweep()

        local function begin()
            -- Leases may have run out unseen: their keys vanish when the last one has.
            local known = redis.call('HVALS', owners)
            for _, owner in ipairs(known) do
                if owner == id or not is_live(owner) then
                    retire_slot(owner)
                end
            end
            for probe = 0, 16383 do
                local slot = (time[2] + probe) % 16384
                if redis.call('HEXISTS', owners, slot) == 0 and redis.call('HEXISTS', dead, slot) == 0 then
                    redis.call('HSET', slots, id, slot)
                    redis.call('HSET', owners, slot, id)
                    return
                end
            end
        end

        if ARGV[3] == '1' then
            begin()
        end
        local slot = tonumber(redis.call('HGET', slots, id) or '-1')
        if slot < 0 then
            return 0
        end

        local as = {[3] = ''}
        for tier = 0, 2 do
            local value = slot * 4 + tier
            as[tier] = string.char(math.floor(value / 256), value % 256)
        end
        local call, sub, byte = redis.call, string.sub, string.byte
        local added = 0
        for i = 1, #batch, 9 do
            local bucket, field, tier = buckets .. sub(batch, i, i + 1), sub(batch, i + 2, i + 7), byte(batch, i + 8)
            local old = call('HGET', bucket, field) or ''
            local at, present = 1, false
            while at < #old do
                local high, low = byte(old, at, at + 1)
                local other = math.floor((high * 256 + low) / 4)
                if other >= slot then
                    present = other == slot
                    break
                end
                at = at + 2
            end
            local new = sub(old, 1, at - 1) .. as[tier] .. sub(old, present and at + 2 or at)
            if new ~= old then
                if new == '' then
                    call('HDEL', bucket, field)
                else
                    call('HSET', bucket, field, new)
                end
                added = added + (#new - #old) / 2
            end
        end
        if added ~= 0 and call('HINCRBY', entries, slot, added) <= 0 then
            call('HDEL', entries, slot)
        end
        return 1
        """;

    /// <summary>
    /// KEYS: leases, owners, buckets. ARGV: hashes of eight bytes each, one at least. Returns the ids of the first block's holders, in the order of its value and empty
    /// for those whose lease is over; then runs of blocks with the same value: the first block's number, the value, the next run...
    /// </summary>
    /// <remarks>
    /// Workers evict the end of a prefix before its beginning, and move it to slower tiers in that order, so two blocks with the same holders in the same tiers have them
    /// on all blocks in between: it takes a search for each place where holders change, not a look at each block. What the runs say of each worker is reckoned by the
    /// client, which is much faster at it.
    /// </remarks>
    public const string Find =
        """
        local leases, owners, buckets = unpack(KEYS)
        local prompt = ARGV[1]
        local call, sub, floor = redis.call, string.sub, math.floor

        local function read(block)
            local at = block * 8 + 1
            return call('HGET', buckets .. sub(prompt, at, at + 1), sub(prompt, at + 2, at + 7)) or ''
        end

        local first = read(0)
        if first == '' then
            return {}
        end

        local time = call('TIME')
        local now = time[1] * 1000 + floor(time[2] / 1000)
        local slots = {}
        for i = 1, #first, 2 do
            local high, low = string.byte(first, i, i + 1)
            slots[#slots + 1] = floor((high * 256 + low) / 4)
        end
        local holders, any = call('HMGET', owners, unpack(slots)), false
        for i, id in ipairs(holders) do
            local ends = id and call('ZSCORE', leases, id)
            if ends and tonumber(ends) > now then
                any = true
            else
                holders[i] = ''
            end
        end
        if not any then
            return {}
        end

        local runs = {0, first}
        local function search(low, value_low, high, value_high)
            if value_low == value_high then
                return
            end
            if high - low == 1 then
                runs[#runs + 1] = high
                runs[#runs + 1] = value_high
                return
            end
            local middle = floor((low + high) / 2)
            local value = read(middle)
            search(low, value_low, middle, value)
            search(middle, value, high, value_high)
        end
        local last = #prompt / 8 - 1
        search(0, first, last, read(last))
        return {holders, runs}
        """;

    /// <summary>Returns the number of entries and of slots that have any.</summary>
    public const string Use = CommonScript.Keys +
        """
        local all, sum = redis.call('HVALS', entries), 0
        for _, each in ipairs(all) do
            sum = sum + tonumber(each)
        end
        return {sum, #all}
        """;
}
