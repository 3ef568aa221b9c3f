using System.Security.Cryptography;
using System.Text;
using LlmCluster.Cluster;
using LlmCluster.Cluster.Accounts;
using LlmCluster.Gateway.Resilience;

namespace LlmCluster.Gateway.Admission;

/// <summary>
/// Virtual counters of tenants: the service that each had, by its weight (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024). They are kept here, so that
/// the queue never waits for them, and brought together with the other gateways' in the background; while the state is away, each gateway is fair by itself.
/// </summary>
internal sealed partial class FairShares(IAccounts accounts, StateHealth health, ILogger<FairShares> logger)
{
    private const int MostTenants = 10_000;
    private const int MostAtOnce = 256;
    private const int LongestName = 128;
    private const string Unnamed = "-";

    private readonly Lock _lock = new();
    private readonly Dictionary<string, double> _counters = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _waiting = new(StringComparer.Ordinal);
    private readonly Dictionary<string, double> _unsent = new(StringComparer.Ordinal);
    private readonly HashSet<string> _joined = new(StringComparer.Ordinal);
    private bool _sending;

    /// <summary>Tenants that wait, with their counters.</summary>
    public Dictionary<string, double> Waiting()
    {
        lock (_lock)
        {
            return _waiting.Keys.ToDictionary(tenant => tenant, Known, StringComparer.Ordinal);
        }
    }

    /// <summary>The name under which a tenant is counted: names come from clients where there are no keys, and may be anything.</summary>
    public static string NameOf(string tenant) =>
        string.IsNullOrWhiteSpace(tenant) ? Unnamed
        : tenant.Length <= LongestName && !tenant.Any(char.IsControl) ? tenant
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(tenant)));

    /// <summary>A request of a tenant begins to wait. The first one lifts the tenant to the least of those that wait: idleness earns no credit.</summary>
    public void Join(string tenant)
    {
        lock (_lock)
        {
            int count = _waiting.GetValueOrDefault(tenant);
            if (count == 0 && _waiting.Count > 0)
            {
                _counters[tenant] = Math.Max(Known(tenant), _waiting.Keys.Min(Known));
                _joined.Add(tenant);
            }

            _waiting[tenant] = count + 1;
        }

        Add(tenant, 0);
    }

    /// <summary>A request of a tenant waits no more.</summary>
    public void Leave(string tenant)
    {
        lock (_lock)
        {
            int left = _waiting[tenant] - 1;
            if (left == 0)
            {
                _waiting.Remove(tenant);
                _joined.Remove(tenant);
            }
            else
            {
                _waiting[tenant] = left;
            }
        }
    }

    /// <summary>A tenant was served.</summary>
    /// <param name="tenant">The tenant.</param>
    /// <param name="service">Weighted tokens, divided by the tenant's weight.</param>
    public void Add(string tenant, double service)
    {
        lock (_lock)
        {
            if (_counters.Count >= MostTenants && !_counters.ContainsKey(tenant))
            {
                Forget();
            }

            _counters[tenant] = Known(tenant) + service;
            _unsent[tenant] = _unsent.GetValueOrDefault(tenant) + service;
            if (_sending)
            {
                return;
            }

            _sending = true;
        }

        _ = SendAsync();
    }

    /// <summary>One call after the other; what is added meanwhile goes with the next one of its tenant.</summary>
    private async Task SendAsync()
    {
        try
        {
            while (Take() is var (tenant, service, others))
            {
                if (!health.MayTry())
                {
                    continue;
                }

                try
                {
                    Learn(tenant, others, await accounts.AddServiceAsync(tenant, service, others).ConfigureAwait(false));
                    health.Succeeded();
                }
                catch (ClusterStateException e)
                {
                    health.Failed(e);
                }
            }
        }
        catch (Exception e)
        {
            // Fairness across gateways is lost for what was being sent; within this one it is not.
            LogFailed(e);
            lock (_lock)
            {
                _sending = false;
            }
        }
    }

    private (string Tenant, double Service, string[] Others)? Take()
    {
        lock (_lock)
        {
            if (_unsent.Count == 0)
            {
                _sending = false;
                return null;
            }

            (string tenant, double service) = _unsent.First();
            _unsent.Remove(tenant);
            return (tenant, service, [.. _waiting.Keys.Where(other => other != tenant).Take(MostAtOnce)]);
        }
    }

    private void Learn(string tenant, string[] others, double[] counters)
    {
        lock (_lock)
        {
            double[] active = Array.FindAll(counters[1..], static counter => counter > 0);
            if (_joined.Remove(tenant) && active.Length > 0 && counters[0] < active.Min())
            {
                // The state lifts those that it has forgotten only; the others are lifted by what they lack.
                _unsent[tenant] = _unsent.GetValueOrDefault(tenant) + active.Min() - counters[0];
            }

            _counters[tenant] = counters[0] + _unsent.GetValueOrDefault(tenant);
            for (int i = 0; i < others.Length; i++)
            {
                if (counters[i + 1] > 0)
                {
                    _counters[others[i]] = counters[i + 1] + _unsent.GetValueOrDefault(others[i]);
                }
                else if (Known(others[i]) > 0 && _waiting.ContainsKey(others[i]))
                {
                    // The state has forgotten a tenant that waits, perhaps because it began anew: it is named again, and takes its place among the others.
                    _unsent.TryAdd(others[i], 0);
                }
            }
        }
    }

    private double Known(string tenant) => _counters.GetValueOrDefault(tenant);

    /// <summary>Only those that wait, or that the state has yet to be told of, matter here.</summary>
    private void Forget()
    {
        foreach (string tenant in _counters.Keys.Where(tenant => !_waiting.ContainsKey(tenant) && !_unsent.ContainsKey(tenant)).ToArray())
        {
            _counters.Remove(tenant);
        }
    }

    [LoggerMessage(LogLevel.Error, "Service of tenants could not be shared with other gateways")]
    private partial void LogFailed(Exception exception);
}
