using System.Text.RegularExpressions;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>A regular expression in Oniguruma's syntax, run by .NET's engine.</summary>
internal sealed class RegexPattern : ITextPattern
{
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.Compiled;

    private readonly Lazy<Regex> _basic;
    private readonly Lazy<Regex> _full;

    /// <exception cref="PatternException">The pattern is malformed, or uses what is not known here.</exception>
    public RegexPattern(string pattern)
    {
        // Most text has no surrogates; the classes for it are much smaller and run several times as fast.
        string basic = PatternTranslator.Translate(pattern, withSurrogates: false);
        try
        {
            _ = new Regex(basic, RegexOptions.CultureInvariant);
        }
        catch (ArgumentException e)
        {
            throw new PatternException(pattern, 0, e.Message);
        }

        _basic = new Lazy<Regex>(() => new Regex(basic, Options));
        _full = new Lazy<Regex>(() => new Regex(PatternTranslator.Translate(pattern, withSurrogates: true), Options));
    }

    /// <summary>The pattern of a file: a scanner written for it, where there is one, or else a regular expression.</summary>
    public static ITextPattern Create(string pattern) =>
        pattern == Gpt2Scanner.Pattern ? new Gpt2Scanner()
        : pattern == TiktokenScanner.ThreeDigits ? new TiktokenScanner(maxDigits: 3)
        : pattern == TiktokenScanner.OneDigit ? new TiktokenScanner(maxDigits: 1)
        : new RegexPattern(pattern);

    public void Find(ReadOnlySpan<char> text, IMatchSink sink)
    {
        var regex = text.IndexOfAnyInRange('\uD800', '\uDFFF') >= 0 ? _full.Value : _basic.Value;
        foreach (var match in regex.EnumerateMatches(text))
        {
            // An empty match between the halves of a pair is none: there is no place inside a character.
            bool insidePair = match.Length == 0 && match.Index < text.Length && char.IsLowSurrogate(text[match.Index]);
            if (!insidePair)
            {
                sink.Match(match.Index, match.Length);
            }
        }
    }
}
