using System.Text.RegularExpressions;
using LlmCluster.Api.Requests;
using LlmCluster.Gateway.Admission;

namespace LlmCluster.Gateway.Access;

/// <summary>Classes and keys, as configured.</summary>
internal sealed partial record AccessOptions
{
    private const int LongestTenant = 128;
    private const long MostTokens = 1_000_000_000_000;

    /// <summary>Classes by name.</summary>
    public IReadOnlyDictionary<string, ClassOptions> Classes { get; init; } = new Dictionary<string, ClassOptions>();

    /// <summary>Keys.</summary>
    public IReadOnlyList<KeyOptions> Keys { get; init; } = [];

    /// <summary>Checks each value for itself.</summary>
    /// <param name="at">What a key's name begins with in messages.</param>
    /// <exception cref="GatewayOptionsException">A value is wrong; the message names it, but never an API key.</exception>
    public void Validate(string at)
    {
        foreach ((string name, ClassOptions options) in Classes)
        {
            Validate($"{at}Classes:{name}:", options);
        }

        foreach ((int index, KeyOptions key) in Keys.Index())
        {
            Validate($"{at}Keys:{index}:", key);
        }
    }

    private static void Validate(string at, ClassOptions options)
    {
        const int Most = GenerationParameters.MostPriority;
        Require(options.Priority is >= -Most and <= Most, at, nameof(options.Priority), options.Priority, $"{-Most} to {Most}");
        RequireTime(options.TtftTarget ?? TimeSpan.FromSeconds(1), at, nameof(options.TtftTarget));
        RequireTime(options.TpotTarget ?? TimeSpan.FromSeconds(1), at, nameof(options.TpotTarget));
        RequireTime(options.QueueTimeout, at, nameof(options.QueueTimeout));
        Require(Enum.IsDefined(options.WhenLate), at, nameof(options.WhenLate), options.WhenLate, "reject or queue");
        Require(options.MaxQueued is >= 0 and <= AdmissionOptions.MostQueued, at, nameof(options.MaxQueued), options.MaxQueued, $"0 to {AdmissionOptions.MostQueued}");
    }

    private static void Validate(string at, KeyOptions key)
    {
        if (string.IsNullOrEmpty(key.Key) == string.IsNullOrEmpty(key.KeySha256))
        {
            throw new GatewayOptionsException($"{at}{nameof(key.Key)} and {at}{nameof(key.KeySha256)}: expected one of them, the key or its SHA-256.");
        }

        if (key.Key is { Length: > 0 } text && !text.All(static c => c is > ' ' and <= '~'))
        {
            throw new GatewayOptionsException($"{at}{nameof(key.Key)} has characters that a header can't carry; expected visible ASCII without spaces.");
        }

        if (key.KeySha256 is { Length: > 0 } digest && !(digest.Length == 64 && digest.All(char.IsAsciiHexDigit)))
        {
            throw new GatewayOptionsException($"{at}{nameof(key.KeySha256)} is no SHA-256; expected 64 hexadecimal digits.");
        }

        Require(key.Name is null || AccountName().IsMatch(key.Name), at, nameof(key.Name), key.Name ?? "", "1 to 64 letters, digits, '-', '_' or '.'");
        Require(
            key.Tenant.Length is > 0 and <= LongestTenant && !string.IsNullOrWhiteSpace(key.Tenant) && !key.Tenant.Any(char.IsControl),
            at, nameof(key.Tenant), key.Tenant, $"a name of 1 to {LongestTenant} characters");
        Require(key.Weight is >= 0.001 and <= 1000, at, nameof(key.Weight), key.Weight, "0.001 to 1000");
        Require(key.RequestsPerMinute >= 0, at, nameof(key.RequestsPerMinute), key.RequestsPerMinute, "a number of requests, or 0 for no limit");
        RequireTokens(key.TokensPerMinute, at, nameof(key.TokensPerMinute));
        RequireTokens(key.TokenBudget, at, nameof(key.TokenBudget));
        Require(
            key.BudgetPeriod >= TimeSpan.FromSeconds(1) && key.BudgetPeriod <= TimeSpan.FromDays(366), at, nameof(key.BudgetPeriod), key.BudgetPeriod, "a time from 00:00:01 to 366.00:00:00");
    }

    private static void RequireTokens(long value, string at, string key) =>
        Require(value is >= 0 and <= MostTokens, at, key, value, $"0 to {MostTokens} tokens, 0 for no limit");

    private static void RequireTime(TimeSpan value, string at, string key) =>
        Require(value > TimeSpan.Zero && value <= TimeSpan.FromDays(1), at, key, value, "a time such as 00:00:02, at most a day");

    private static void Require(bool holds, string at, string key, object value, string expected)
    {
        if (!holds)
        {
            throw new GatewayOptionsException($"{at}{key} is '{value}'; expected {expected}.");
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_.-]{1,64}\z")]
    private static partial Regex AccountName();
}
