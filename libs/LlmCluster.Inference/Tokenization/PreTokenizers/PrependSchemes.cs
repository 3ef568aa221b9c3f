using LlmCluster.Inference.Tokenization.Loading;

namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Reads the prepend scheme of a <c>Metaspace</c>, which older files give as <c>add_prefix_space</c>.</summary>
internal static class PrependSchemes
{
    public static PrependScheme Read(JsonCursor json)
    {
        if (json.Optional("prepend_scheme") is not { } scheme)
        {
            return json.GetBoolean("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never;
        }

        return scheme.GetString() switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            var other => throw scheme.Error($"unknown prepend scheme \"{other}\"; known are always, first and never."),
        };
    }
}
