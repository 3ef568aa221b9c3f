namespace LlmCluster.Cluster.Redis.Scripts;

/// <summary>What accounts and tenants use, in Redis.</summary>
internal static class AccountScripts
{
    /// <summary>
    /// Charges an account, or gives tokens back. Two levels, of requests and of tokens, run down at their limits a minute; the budget counts the tokens of the current
    /// period. The key goes when none of them is worth knowing any more.
    /// </summary>
    /// <remarks>
    /// KEYS: hash of the account: at (microseconds since 1970), requests, tokens, window, budget. ARGV: tokens, requests a minute, tokens a minute, budget, its period
    /// in microseconds, 1 to charge or 0 to give back. Returns the number of the <see cref="Accounts.ChargeRefusal"/>, the wait in microseconds (-1: for ever), requests
    /// left, tokens left.
    /// </remarks>
    public const string Charge =
        """
        local account = KEYS[1]
        local cost, request_limit, token_limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local budget_limit, period = tonumber(ARGV[4]), tonumber(ARGV[5])
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local tolerance = 1e-6 -- What a level may be too high by after a wait that was reckoned in floating point.

        local known = redis.call('HMGET', account, 'at', 'requests', 'tokens', 'window', 'budget')
        local minutes = (now - tonumber(known[1] or now)) / 60e6
        local function level(value, limit)
            return math.min(limit, math.max(0, tonumber(value or '0') - minutes * limit))
        end
        local requests, tokens = level(known[2], request_limit), level(known[3], token_limit)
        local window = string.format('%.0f:%.0f', period, math.floor(now / period))
        local budget = known[4] == window and tonumber(known[5]) or 0
        local next_window = period - now % period

        local refusal, wait = 0, 0
        local function ask(number, longer)
            if longer > wait then
                refusal, wait = number, longer
            end
        end
        local function drain(amount, limit)
            return (amount <= 0 or limit == 0) and 0 or math.ceil(amount / limit * 60e6)
        end
        local function ask_level(number, used, more, limit)
            if limit > 0 and used + more > limit + tolerance then
                ask(number, more > limit and math.huge or drain(used + more - limit, limit))
            end
        end

        if ARGV[6] == '1' then
            ask_level(1, requests, 1, request_limit)
            ask_level(2, tokens, cost, token_limit)
            if budget_limit > 0 and budget + cost > budget_limit then
                ask(3, cost > budget_limit and math.huge or next_window)
            end
            if refusal == 0 then
                requests = requests + (request_limit > 0 and 1 or 0)
                tokens = tokens + (token_limit > 0 and cost or 0)
                budget = budget + (budget_limit > 0 and cost or 0)
            end
        else
            tokens = math.max(0, tokens - cost)
            budget = math.max(0, budget - cost)
        end

        local unused = math.max(drain(requests, request_limit), drain(tokens, token_limit), budget > 0 and next_window or 0)
        if unused > 0 then
            redis.call(
                'HMSET', account, 'at', string.format('%.0f', now), 'requests', string.format('%.17g', requests),
                'tokens', string.format('%.17g', tokens), 'window', window, 'budget', string.format('%.0f', budget))
            redis.call('PEXPIRE', account, string.format('%.0f', math.ceil(unused / 1000)))
        else
            redis.call('DEL', account)
        end

        local function left(used, limit)
            return math.max(0, math.floor(limit - used + tolerance))
        end
        local left_tokens = math.huge
        if token_limit > 0 then
            left_tokens = left(tokens, token_limit)
        end
        if budget_limit > 0 then
            left_tokens = math.min(left_tokens, left(budget, budget_limit))
        end
        return {refusal, wait == math.huge and -1 or wait, left(requests, request_limit), left_tokens == math.huge and 0 or left_tokens}
        """;

    /// <summary>
    /// KEYS: sorted set tenant → counter, sorted set tenant → when it was last named in milliseconds since 1970. ARGV: tenant, service, milliseconds after which a tenant
    /// is active no more, other tenants. Returns the counters as text.
    /// </summary>
    public const string AddService =
        """
        local counters, seen = KEYS[1], KEYS[2]
        local tenant, active = ARGV[1], tonumber(ARGV[3])
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        local function drop(idle)
            redis.call('ZREM', counters, idle)
            redis.call('ZREM', seen, idle)
        end
        local idle = redis.call('ZRANGEBYSCORE', seen, '-inf', string.format('%.0f', now - active), 'LIMIT', 0, 1000)
        for _, each in ipairs(idle) do
            drop(each)
        end

        -- More may be idle than were dropped now; those don't count.
        local function counter(of)
            local last = redis.call('ZSCORE', seen, of)
            return last and tonumber(last) > now - active and redis.call('ZSCORE', counters, of)
        end

        if not counter(tenant) then
            local least = redis.call('ZRANGE', counters, 0, 0, 'WITHSCORES')
            redis.call('ZADD', counters, least[2] or '0', tenant)
        end
        local result = {redis.call('ZINCRBY', counters, ARGV[2], tenant)}
        redis.call('ZADD', seen, string.format('%.0f', now), tenant)
        redis.call('PEXPIRE', counters, ARGV[3])
        redis.call('PEXPIRE', seen, ARGV[3])
        for i = 4, #ARGV do
            result[#result + 1] = counter(ARGV[i]) or '0'
        end
        return result
        """;
}
