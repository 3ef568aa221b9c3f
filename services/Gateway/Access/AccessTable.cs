using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace LlmCluster.Gateway.Access;

/// <summary>Who may ask, by key. Only digests of keys are kept.</summary>
internal sealed class AccessTable
{
    private const int LongestKey = 4096;
    private readonly Dictionary<byte[], Caller> _callers = new(DigestComparer.Instance);

    private AccessTable(ServiceClass anonymous) => Anonymous = new Caller(anonymous);

    /// <summary>Whether there are no keys, so that everyone may ask.</summary>
    public bool IsOpen => _callers.Count == 0;

    /// <summary>Whoever asks where there are no keys.</summary>
    public Caller Anonymous { get; }

    /// <summary>Builds the table from several sources; a later one's class replaces an earlier one's of the same name.</summary>
    /// <exception cref="GatewayOptionsException">A key names no class, or comes twice, or shares an account with other limits.</exception>
    public static AccessTable Create(params (string At, AccessOptions Options)[] sources)
    {
        var classes = new Dictionary<string, ServiceClass>(StringComparer.OrdinalIgnoreCase) { [ServiceClass.Default] = new(ServiceClass.Default, new ClassOptions()) };
        foreach ((string name, ClassOptions options) in sources.SelectMany(source => source.Options.Classes))
        {
            classes[name] = new ServiceClass(name, options);
        }

        var table = new AccessTable(classes[ServiceClass.Default]);
        foreach ((string at, AccessOptions options) in sources)
        {
            foreach ((int index, KeyOptions key) in options.Keys.Index())
            {
                table.Add(key, classes, $"{at}Keys:{index}");
            }
        }

        return table;
    }

    /// <summary>Who has this key; null when nobody has.</summary>
    public Caller? Find(string key) => key.Length is > 0 and <= LongestKey ? _callers.GetValueOrDefault(Digest(key)) : null;

    private static byte[] Digest(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    private void Add(KeyOptions key, Dictionary<string, ServiceClass> classes, string at)
    {
        if (!classes.TryGetValue(key.Class, out ServiceClass? @class))
        {
            throw new GatewayOptionsException($"{at}:Class is '{key.Class}'; expected one of {string.Join(", ", classes.Keys.Order(StringComparer.Ordinal))}.");
        }

        byte[] digest = key.Key is { Length: > 0 } text ? Digest(text) : Convert.FromHexString(key.KeySha256!);
        var caller = new Caller(@class)
        {
            Tenant = key.Tenant,
            Account = key.Name is { } name ? $"name:{name}" : $"key:{Convert.ToHexStringLower(digest)}",
            Limits = key.Limits,
            Weight = key.Weight,
        };
        if (_callers.Values.FirstOrDefault(other => other.Account == caller.Account && other.Limits != caller.Limits) is not null)
        {
            throw new GatewayOptionsException($"{at}:Name is '{key.Name}', which another key has with other limits; expected the same limits, or another name.");
        }

        if (!_callers.TryAdd(digest, caller))
        {
            throw new GatewayOptionsException($"{at} has the same key as one before it; expected each key once.");
        }
    }

    /// <summary>Compares digests in constant time; what a lookup's time could tell is about the digest alone, and no way back to the key.</summary>
    private sealed class DigestComparer : IEqualityComparer<byte[]>
    {
        public static readonly DigestComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => CryptographicOperations.FixedTimeEquals(x, y);

        public int GetHashCode(byte[] digest) => BinaryPrimitives.ReadInt32LittleEndian(digest);
    }
}
