namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>
/// A pattern written out as code: it matches at every position, so its matches cover the text. Positions are UTF-16
/// units; code points are looked at whole.
/// </summary>
internal abstract class WordScanner : ITextPattern
{
    public void Find(ReadOnlySpan<char> text, IMatchSink sink)
    {
        for (int start = 0; start < text.Length;)
        {
            int length = MatchLength(text, start);
            sink.Match(start, length);
            start += length;
        }
    }

    /// <summary>The length of the match at a position; at least one.</summary>
    protected abstract int MatchLength(ReadOnlySpan<char> text, int start);

    protected static bool IsSpace(CodePointKind kind) => kind >= CodePointKind.Space;

    /// <summary>Where a run of one kind ends.</summary>
    protected static int RunEnd(ReadOnlySpan<char> text, int position, CodePointKind kind)
    {
        while (position < text.Length && UnicodeClasses.KindAt(text, position, out int length) == kind)
        {
            position += length;
        }

        return position;
    }

    /// <summary>Where a run of white space ends and its last line break, or -1. White space is in the basic plane.</summary>
    protected static int SpaceEnd(ReadOnlySpan<char> text, int position, out int lastLineBreak)
    {
        lastLineBreak = -1;
        for (; position < text.Length; position++)
        {
            var kind = UnicodeClasses.KindAt(text, position, out _);
            if (kind == CodePointKind.LineBreak)
            {
                lastLineBreak = position;
            }
            else if (kind != CodePointKind.Space)
            {
                break;
            }
        }

        return position;
    }

    /// <summary><c>\s+(?!\S)|\s+</c>: the run without its last character if something follows and more than one are there.</summary>
    protected static int TrailingSpace(ReadOnlySpan<char> text, int start, int end) =>
        end == text.Length || end - start == 1 ? end - start : end - start - 1;

    /// <summary>The length of one of <c>'s 't 're 've 'm 'll 'd</c>, or 0. U+017F is an s when case is ignored.</summary>
    protected static int Contraction(ReadOnlySpan<char> text, int start, bool ignoreCase)
    {
        if (text[start] != '\'' || start + 1 >= text.Length)
        {
            return 0;
        }

        char first = Fold(text[start + 1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd')
        {
            return 2;
        }

        char second = start + 2 < text.Length ? Fold(text[start + 2], ignoreCase) : '\0';
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    private static char Fold(char c, bool ignoreCase) =>
        !ignoreCase ? c : c == '\u017F' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;
}
