using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Placement;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.Gateway;

/// <summary>How a gateway runs. Configuration section <c>Gateway</c>, for example <c>LLMC__Gateway__Url</c>.</summary>
public sealed record GatewayOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Gateway";

    /// <summary>Where to listen; port 0 takes a free one.</summary>
    public string Url { get; init; } = "http://127.0.0.1:8080";

    /// <summary>
    /// Folder with the model's <c>tokenizer.json</c>, <c>tokenizer_config.json</c>, <c>config.json</c> and
    /// <c>generation_config.json</c>; its weights are not needed.
    /// </summary>
    public string ModelPath { get; init; } = "";

    /// <summary>Name of the model as clients ask for it; the folder's name by default. Workers must have the same.</summary>
    public string? ModelName { get; init; }

    /// <summary>Longest request body in bytes; a longer one is answered with status 413.</summary>
    public long MaxBodyBytes { get; init; } = 8 << 20;

    /// <summary>Longest time from the arrival of a request to the end of its answer.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Longest time for a prefill worker to compute a prompt and hand it over, waiting for its turn included.</summary>
    public TimeSpan PrefillTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Name of the policy that decides where requests run, see <see cref="PlacementPolicies"/>.</summary>
    public string Placement { get; init; } = PlacementPolicies.Default;

    /// <summary>Attempts to compute a prompt when prefill workers fail.</summary>
    public int PrefillAttempts { get; init; } = 3;

    /// <summary>Longest time to connect to a worker.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Longest time that a request waits for the cluster's state; it is then placed by what the gateway knows itself.</summary>
    public TimeSpan StateTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest time for running requests to end when the gateway ends.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Most choices of one prompt (<c>n</c>).</summary>
    public int MaxChoices { get; init; } = 128;

    /// <summary>Most sequences in one request: prompts times choices.</summary>
    public int MaxSequences { get; init; } = 256;

    /// <summary>API keys; with none here nor in <see cref="KeysFile"/>, everyone may ask.</summary>
    public IReadOnlyList<KeyOptions> Keys { get; init; } = [];

    /// <summary>Classes of requests by name; <c>default</c> is always there.</summary>
    public IReadOnlyDictionary<string, ClassOptions> Classes { get; init; } = new Dictionary<string, ClassOptions>();

    /// <summary>
    /// JSON file with more <c>Keys</c> and <c>Classes</c>; its classes replace those of the same name here. It is read again when it changes.
    /// </summary>
    public string? KeysFile { get; init; }

    /// <summary>How the gateway's queue is fair.</summary>
    public AdmissionOptions Admission { get; init; } = new();

    /// <summary>The name that clients ask for.</summary>
    public string ServedModelName => ModelName is { Length: > 0 } name
        ? name
        : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(ModelPath)));

    /// <summary>Reads the options from configuration and checks them.</summary>
    /// <param name="configuration">The root, or anything that holds the section.</param>
    /// <exception cref="GatewayOptionsException">A key has a wrong value.</exception>
    public static GatewayOptions Bind(IConfiguration configuration)
    {
        GatewayOptions options;
        try
        {
            IConfigurationSection section = configuration.GetSection(Section);
            AccessOptions access = AccessReader.Read(section, $"{Section}:");
            options = (section.Get<GatewayOptions>() ?? new GatewayOptions()) with { Keys = access.Keys, Classes = access.Classes };
        }
        catch (InvalidOperationException e)
        {
            throw new GatewayOptionsException(e.InnerException is { } inner ? $"{e.Message} {inner.Message}" : e.Message, e);
        }

        options.Validate();
        return options;
    }

    /// <summary>Checks the options.</summary>
    /// <exception cref="GatewayOptionsException">A key has a wrong value; the message names it.</exception>
    public void Validate()
    {
        Require(
            Uri.TryCreate(Url.Replace("*", "0.0.0.0", StringComparison.Ordinal).Replace("+", "0.0.0.0", StringComparison.Ordinal), UriKind.Absolute, out Uri? uri) && uri.Scheme == Uri.UriSchemeHttp,
            nameof(Url), Url, "an address such as http://127.0.0.1:8080");
        Require(ModelPath.Length > 0, nameof(ModelPath), ModelPath, "the folder of the model's tokenizer.json and config.json");
        Require(MaxBodyBytes is >= 1024 and <= 1 << 30, nameof(MaxBodyBytes), MaxBodyBytes, "1024 to 1073741824 bytes");
        RequireTime(RequestTimeout, nameof(RequestTimeout));
        RequireTime(PrefillTimeout, nameof(PrefillTimeout));
        RequireTime(ConnectTimeout, nameof(ConnectTimeout));
        Require(
            StateTimeout >= TimeSpan.FromMilliseconds(10) && StateTimeout <= TimeSpan.FromMinutes(1),
            nameof(StateTimeout), StateTimeout, "a time such as 00:00:02, 10 ms to a minute");
        RequireTime(ShutdownTimeout, nameof(ShutdownTimeout));
        Require(PlacementPolicies.TryCreate(Placement, out _), nameof(Placement), Placement, $"one of {string.Join(", ", PlacementPolicies.Names)}");
        Require(PrefillAttempts is >= 1 and <= 100, nameof(PrefillAttempts), PrefillAttempts, "1 to 100");
        Require(MaxChoices is >= 1 and <= 1024, nameof(MaxChoices), MaxChoices, "1 to 1024");
        Require(MaxSequences is >= 1 and <= 4096, nameof(MaxSequences), MaxSequences, "1 to 4096");
        Admission.Validate();
        AccessRules.Validate(this);
    }

    private static void RequireTime(TimeSpan value, string key) =>
        Require(value > TimeSpan.Zero && value <= TimeSpan.FromDays(1), key, value, "a time such as 00:10:00, at most a day");

    private static void Require(bool holds, string key, object value, string expected)
    {
        if (!holds)
        {
            throw new GatewayOptionsException($"{Section}:{key} is '{value}'; expected {expected}.");
        }
    }
}

/// <summary>A gateway's configuration is wrong.</summary>
/// <param name="message">Names the key and what would be right.</param>
/// <param name="innerException">What led to it.</param>
public sealed class GatewayOptionsException(string message, Exception? innerException = null) : Exception(message, innerException);
