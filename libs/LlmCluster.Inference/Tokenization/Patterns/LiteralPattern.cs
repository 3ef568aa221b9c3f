namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>A literal string. The empty one is found nowhere.</summary>
internal sealed class LiteralPattern(string literal) : ITextPattern
{
    /// <summary>The string.</summary>
    public string Literal => literal;

    public void Find(ReadOnlySpan<char> text, IMatchSink sink)
    {
        if (literal.Length == 0)
        {
            return;
        }

        for (int from = 0; from < text.Length;)
        {
            int found = text[from..].IndexOf(literal, StringComparison.Ordinal);
            if (found < 0)
            {
                return;
            }

            sink.Match(from + found, literal.Length);
            from += found + literal.Length;
        }
    }
}
