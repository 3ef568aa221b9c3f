using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.Loading;

/// <summary>Builds a pattern from <c>{"String": "..."}</c> or <c>{"Regex": "..."}</c>.</summary>
internal static class PatternFactory
{
    public static ITextPattern Create(JsonCursor json)
    {
        if (json.Optional("String") is { } literal)
        {
            return new LiteralPattern(literal.GetString());
        }

        var regex = json.Optional("Regex") ?? throw json.Error("expected a member \"String\" or \"Regex\".");
        try
        {
            return RegexPattern.Create(regex.GetString());
        }
        catch (PatternException e)
        {
            throw regex.Error(e.Message, e);
        }
    }
}
