using System.Globalization;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>What the patterns of tokenizers ask of a code point.</summary>
internal enum CodePointKind : byte
{
    /// <summary>Neither of the others: punctuation, symbols, marks, controls, unassigned.</summary>
    Other,

    /// <summary><c>\p{L}</c>.</summary>
    Letter,

    /// <summary><c>\p{N}</c>.</summary>
    Number,

    /// <summary><c>\s</c>, but not a line break.</summary>
    Space,

    /// <summary>U+000A or U+000D.</summary>
    LineBreak,
}

/// <summary>Classes of code points as Oniguruma has them for UTF-8.</summary>
internal static class UnicodeClasses
{
    private static readonly CodePointKind[] Kinds = BuildKinds();

    /// <summary>The kind of the code point at a position and its length in UTF-16 units.</summary>
    public static CodePointKind KindAt(ReadOnlySpan<char> text, int position, out int length)
    {
        char c = text[position];
        if (char.IsHighSurrogate(c) && position + 1 < text.Length && char.IsLowSurrogate(text[position + 1]))
        {
            length = 2;
            return KindOf(CharUnicodeInfo.GetUnicodeCategory(char.ConvertToUtf32(c, text[position + 1])));
        }

        length = 1;
        return Kinds[c];
    }

    /// <summary><c>\w</c>: letters, marks, decimal and letter numbers, connectors, and the alphabetic symbols.</summary>
    public static bool IsWord(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint) switch
    {
        <= UnicodeCategory.LetterNumber => true,
        UnicodeCategory.ConnectorPunctuation => true,
        UnicodeCategory.OtherSymbol => codePoint is
            (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        _ => false,
    };

    /// <summary><c>\s</c>: Unicode's White_Space.</summary>
    public static bool IsSpace(int codePoint) => codePoint <= char.MaxValue && char.IsWhiteSpace((char)codePoint);

    private static CodePointKind KindOf(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => CodePointKind.Letter,
        >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber => CodePointKind.Number,
        _ => CodePointKind.Other,
    };

    private static CodePointKind[] BuildKinds()
    {
        var kinds = new CodePointKind[char.MaxValue + 1];
        for (int c = 0; c < kinds.Length; c++)
        {
            kinds[c] = c is '\n' or '\r' ? CodePointKind.LineBreak
                : char.IsWhiteSpace((char)c) ? CodePointKind.Space
                : KindOf(CharUnicodeInfo.GetUnicodeCategory((char)c));
        }

        return kinds;
    }
}
