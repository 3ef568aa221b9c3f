using System.Text;
using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Finds every code point for which something holds, one match each.</summary>
internal sealed class CodePointPattern(Func<Rune, bool> predicate) : ITextPattern
{
    public void Find(ReadOnlySpan<char> text, IMatchSink sink)
    {
        int position = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (predicate(rune))
            {
                sink.Match(position, rune.Utf16SequenceLength);
            }

            position += rune.Utf16SequenceLength;
        }
    }

    public static CodePointPattern Numeric { get; } = new(Rune.IsNumber);

    public static CodePointPattern WhiteSpace { get; } = new(Rune.IsWhiteSpace);

    /// <summary>Unicode's punctuation, and the ASCII characters that are symbols to Unicode.</summary>
    public static CodePointPattern Punctuation { get; } =
        new(rune => Rune.IsPunctuation(rune) || (rune.IsAscii && Rune.IsSymbol(rune)));
}
