namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>
/// The pattern of cl100k by hand, which Llama 3 (numbers in threes) and Qwen (digit by digit) took over: contractions in
/// any case; letters with one other character before them; numbers; others with one space before and line breaks after;
/// white space up to its last line break; white space without its last character when something follows; white space.
/// </summary>
internal sealed class TiktokenScanner(int maxDigits) : WordScanner
{
    private const string Format =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public static readonly string ThreeDigits = Format.Replace("DIGITS", "{1,3}", StringComparison.Ordinal);
    public static readonly string OneDigit = Format.Replace("DIGITS", "", StringComparison.Ordinal);

    protected override int MatchLength(ReadOnlySpan<char> text, int start)
    {
        int contraction = Contraction(text, start, ignoreCase: true);
        if (contraction > 0)
        {
            return contraction;
        }

        var kind = UnicodeClasses.KindAt(text, start, out int length);
        int next = start + length;
        switch (kind)
        {
            case CodePointKind.Letter:
                return RunEnd(text, next, CodePointKind.Letter) - start;

            case CodePointKind.Number:
                for (int digits = 1; digits < maxDigits && next < text.Length; digits++)
                {
                    if (UnicodeClasses.KindAt(text, next, out length) != CodePointKind.Number)
                    {
                        break;
                    }

                    next += length;
                }

                return next - start;
        }

        var following = CodePointKind.LineBreak;
        if (next < text.Length)
        {
            following = UnicodeClasses.KindAt(text, next, out length);
            if (following == CodePointKind.Letter && kind != CodePointKind.LineBreak)
            {
                return RunEnd(text, next + length, CodePointKind.Letter) - start;
            }
        }

        if (kind == CodePointKind.Other || (text[start] == ' ' && following == CodePointKind.Other))
        {
            int end = RunEnd(text, next, CodePointKind.Other);
            while (end < text.Length && text[end] is '\r' or '\n')
            {
                end++;
            }

            return end - start;
        }

        int spaceEnd = SpaceEnd(text, start, out int lastLineBreak);
        return lastLineBreak >= 0 ? lastLineBreak + 1 - start : TrailingSpace(text, start, spaceEnd);
    }
}
