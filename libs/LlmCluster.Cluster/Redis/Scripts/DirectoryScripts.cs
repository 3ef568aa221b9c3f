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
                local left = redis.call('HINCRBY', entries, slot, -(dropped[slot] or 0))
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
    /// ARGV: hashes of eight bytes each, one at least. Returns for each live holder of the first block: id, leading blocks in tier 0, leading blocks.
    /// </summary>
    /// <remarks>
    /// Workers evict the end of a prefix before its beginning, and move it to slower tiers in that order, so two blocks with the same holders in the same tiers have them
    /// on all blocks in between: it takes a search for each place where holders change, not a look at each block.
    /// </remarks>
    public const string Find = CommonScript.Keys +
        """
        local prompt = ARGV[1]
        local count = #prompt / 8
        local call, sub, byte, floor = redis.call, string.sub, string.byte, math.floor

        local owner, filtered = {}, {}
        local function is_held_by_live(slot)
            if owner[slot] == nil then
                local id = call('HGET', owners, slot)
                owner[slot] = id and is_live(id) and id or false
            end
            return owner[slot]
        end

        local function read(block)
            local at = block * 8 + 1
            local all = call('HGET', buckets .. sub(prompt, at, at + 1), sub(prompt, at + 2, at + 7))
            if not all then
                return ''
            end
            local live = filtered[all]
            if not live then
                live = ''
                for i = 1, #all, 2 do
                    local high, low = byte(all, i, i + 1)
                    if is_held_by_live(floor((high * 256 + low) / 4)) then
                        live = live .. sub(all, i, i + 1)
                    end
                end
                filtered[all] = live
            end
            return live
        end

        local first = read(0)
        if first == '' then
            return {}
        end

        -- Runs of blocks with the same holders: where each begins, and the holders.
        local begins, holders = {0}, {first}
        local function search(low, held_low, high, held_high)
            if held_low == held_high then
                return
            end
            if high - low == 1 then
                begins[#begins + 1] = high
                holders[#holders + 1] = held_high
                return
            end
            local middle = floor((low + high) / 2)
            local held = read(middle)
            search(low, held_low, middle, held)
            search(middle, held, high, held_high)
        end
        search(0, first, count - 1, read(count - 1))
        begins[#begins + 1] = count

        local device, any = {}, {}
        for run = 1, #holders do
            local from, to, held = begins[run], begins[run + 1], holders[run]
            for i = 1, #held, 2 do
                local high, low = byte(held, i, i + 1)
                local value = high * 256 + low
                local slot = floor(value / 4)
                if (any[slot] or 0) == from then
                    any[slot] = to
                    if value % 4 == 0 and (device[slot] or 0) == from then
                        device[slot] = to
                    end
                end
            end
        end

        local matches = {}
        for slot, blocks in pairs(any) do
            matches[#matches + 1] = owner[slot]
            matches[#matches + 1] = device[slot] or 0
            matches[#matches + 1] = blocks
        end
        return matches
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
