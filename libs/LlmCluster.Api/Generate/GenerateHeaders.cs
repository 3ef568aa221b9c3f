using System.Globalization;
using LlmCluster.Api.Responses;

namespace LlmCluster.Api.Generate;

/// <summary>What a worker tells the gateway beside the answer. None of it goes on to the client.</summary>
public static class GenerateHeaders
{
    /// <summary>
    /// What the answer used: <c>prompt=N,cached=N,completion=N</c>, in tokens. A header of whole answers, a trailer of streamed ones, which also come when
    /// the stream ends with an error.
    /// </summary>
    public const string Usage = "x-llmc-usage";

    private const string Prompt = "prompt=";
    private const string Cached = "cached=";
    private const string Completion = "completion=";

    /// <summary>The value of <see cref="Usage"/>.</summary>
    public static string FormatUsage(Usage usage) => string.Create(
        CultureInfo.InvariantCulture, $"{Prompt}{usage.PromptTokens},{Cached}{usage.CachedTokens},{Completion}{usage.CompletionTokens}");

    /// <summary>Reads the value of <see cref="Usage"/>.</summary>
    /// <returns>False when it is no such value.</returns>
    public static bool TryParseUsage(ReadOnlySpan<char> value, out Usage usage)
    {
        usage = new Usage(0, 0, 0);
        Span<Range> parts = stackalloc Range[4];
        if (value.Split(parts, ',') != 3
            || !TryParse(value[parts[0]], Prompt, out int prompt)
            || !TryParse(value[parts[1]], Cached, out int cached)
            || !TryParse(value[parts[2]], Completion, out int completion))
        {
            return false;
        }

        usage = new Usage(prompt, completion, cached);
        return true;
    }

    private static bool TryParse(ReadOnlySpan<char> part, string name, out int value)
    {
        value = 0;
        return part.StartsWith(name, StringComparison.Ordinal)
            && int.TryParse(part[name.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }
}
