using System.Text;
using StackExchange.Redis;

namespace LlmCluster.Cluster.Redis;

/// <summary>Names of a cluster's keys.</summary>
/// <remarks>
/// All begin with the same braces, which make Redis Cluster keep them on one node, where one script can see them. It looks at the first braces of a key only, so
/// names within a key may hold any characters.
/// </remarks>
internal sealed class RedisKeys(string keyPrefix)
{
    private readonly string _tag = $"{{{keyPrefix}}}";

    /// <summary>Channel of changes of membership.</summary>
    public string Changed => $"{_tag}:changed";

    /// <summary>KEYS of every script that has to do with workers, as <see cref="Scripts.CommonScript.Keys"/> names them.</summary>
    public RedisKey[] Workers() =>
    [
        $"{_tag}:workers",
        $"{_tag}:loads",
        $"{_tag}:leases",
        $"{_tag}:draining",
        Changed,
        $"{_tag}:slots",
        $"{_tag}:owners",
        $"{_tag}:entries",
        $"{_tag}:dead",
        $"{_tag}:swept",
        $"{_tag}:b:",
        $"{_tag}:rooms",
        $"{_tag}:reservations",
        $"{_tag}:reservation-ends",
    ];

    /// <summary>KEYS of the script that looks a prompt up.</summary>
    public RedisKey[] Lookup() => [$"{_tag}:leases", $"{_tag}:owners", $"{_tag}:b:"];

    /// <summary>All that the directory's blocks are kept in; 65,536 keys.</summary>
    public IEnumerable<RedisKey> Buckets() =>
        Enumerable.Range(0, 65_536).Select(bucket => (RedisKey)(byte[])[.. Encoding.UTF8.GetBytes($"{_tag}:b:"), (byte)(bucket >> 8), (byte)bucket]);

    /// <summary>A counter that gateways share.</summary>
    public RedisKey Counter(string name) => $"{_tag}:counter:{name}";

    /// <summary>What an account has used.</summary>
    public RedisKey Account(string name) => $"{_tag}:account:{name}";

    /// <summary>Counters of active tenants, and when each was last named.</summary>
    public RedisKey[] Tenants() => [$"{_tag}:service", $"{_tag}:service-seen"];
}
