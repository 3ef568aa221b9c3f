namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>
/// GPT-2's pattern by hand: contractions in lower case; letters, numbers or others with one space before them; white
/// space without its last character when something follows; white space.
/// </summary>
internal sealed class Gpt2Scanner : WordScanner
{
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    protected override int MatchLength(ReadOnlySpan<char> text, int start)
    {
        int contraction = Contraction(text, start, ignoreCase: false);
        if (contraction > 0)
        {
            return contraction;
        }

        int position = start;
        var kind = UnicodeClasses.KindAt(text, position, out int length);
        if (text[start] == ' ' && start + 1 < text.Length)
        {
            var next = UnicodeClasses.KindAt(text, start + 1, out int nextLength);
            if (!IsSpace(next))
            {
                position++;
                kind = next;
                length = nextLength;
            }
        }

        return IsSpace(kind)
            ? TrailingSpace(text, start, SpaceEnd(text, start, out _))
            : RunEnd(text, position + length, kind) - start;
    }
}
