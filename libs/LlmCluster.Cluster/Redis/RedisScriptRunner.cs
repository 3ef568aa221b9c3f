using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>Runs scripts on a connection.</summary>
internal sealed class RedisScriptRunner(RedisConnection connection)
{
    /// <exception cref="ClusterStateException">Redis can't be reached, or the script failed.</exception>
    public Task<RedisResult> RunAsync(
        string what, string script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken) =>
        connection.RunAsync(
            what,
            async database =>
            {
                try
                {
                    return await database.ScriptEvaluateAsync(script, keys, arguments).ConfigureAwait(false);
                }
                catch (RedisServerException exception) when (exception.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
                {
                    // A restarted Redis has forgotten the script that the client believes it knows: send its text.
                    return await database.ScriptEvaluateAsync(script, keys, arguments, CommandFlags.NoScriptCache).ConfigureAwait(false);
                }
            },
            cancellationToken);
}
