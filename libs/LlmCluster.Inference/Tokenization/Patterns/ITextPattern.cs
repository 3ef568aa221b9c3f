using System.Text;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>Takes the matches of a pattern, in order.</summary>
internal interface IMatchSink
{
    /// <summary>Takes a match; positions are UTF-16 units from the start of the text that was searched.</summary>
    void Match(int start, int length);
}

/// <summary>Something that can be found in text: a literal, a regular expression, or a scanner written for one.</summary>
internal interface ITextPattern
{
    /// <summary>Reports the matches, leftmost first, none overlapping another.</summary>
    void Find(ReadOnlySpan<char> text, IMatchSink sink);
}

/// <summary>Replacing what a pattern finds.</summary>
internal static class TextPatternExtensions
{
    /// <summary>The text with every match replaced by a literal; the same instance when there is no match.</summary>
    public static string Replace(this ITextPattern pattern, string text, string replacement)
    {
        if (pattern is LiteralPattern { Literal.Length: > 0 } literal)
        {
            return text.Replace(literal.Literal, replacement, StringComparison.Ordinal);
        }

        var sink = new ReplacingSink(text, replacement);
        pattern.Find(text, sink);
        return sink.Finish();
    }

    private sealed class ReplacingSink(string text, string replacement) : IMatchSink
    {
        private StringBuilder? _result;
        private int _done;

        public void Match(int start, int length)
        {
            _result ??= new StringBuilder(text.Length);
            _result.Append(text, _done, start - _done).Append(replacement);
            _done = start + length;
        }

        public string Finish() => _result is null ? text : _result.Append(text, _done, text.Length - _done).ToString();
    }
}
