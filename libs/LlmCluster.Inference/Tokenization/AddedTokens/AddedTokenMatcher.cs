using System.Buffers;
using System.Text;
using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.AddedTokens;

/// <summary>A stretch of text: an added token, or what lies between two of them.</summary>
internal readonly record struct TextSegment(int Start, int Length, AddedToken? Token);

/// <summary>Finds added tokens in text: the leftmost first and, among those that start there, the longest.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly SearchValues<string>? _anyToken;
    private readonly Dictionary<char, (string Text, AddedToken Token)[]> _byFirstChar = [];

    /// <param name="tokens">Each token with the text that stands for it.</param>
    public AddedTokenMatcher(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        var all = tokens.Where(t => t.Text.Length > 0).ToArray();
        if (all.Length == 0)
        {
            return;
        }

        _anyToken = SearchValues.Create([.. all.Select(t => t.Text)], StringComparison.Ordinal);
        foreach (var group in all.GroupBy(t => t.Text[0]))
        {
            _byFirstChar[group.Key] = [.. group.OrderByDescending(t => t.Text.Length)];
        }
    }

    /// <summary>Whether there is nothing to find.</summary>
    public bool IsEmpty => _anyToken is null;

    /// <summary>Cuts text into tokens and what lies between them. No segment is empty.</summary>
    public IEnumerable<TextSegment> Split(string text)
    {
        int done = 0;
        int from = 0;
        while (_anyToken is not null && from < text.Length)
        {
            int found = text.AsSpan(from).IndexOfAny(_anyToken);
            if (found < 0)
            {
                break;
            }

            int start = from + found;
            var (content, token) = LongestAt(text, start);
            int end = start + content.Length;
            from = end;
            if (token.SingleWord && (TouchesWordBefore(text, start) || TouchesWordAfter(text, end)))
            {
                continue;
            }

            if (token.LeftStrip)
            {
                while (start > done && char.IsWhiteSpace(text[start - 1]))
                {
                    start--;
                }
            }

            if (token.RightStrip)
            {
                while (end < text.Length && char.IsWhiteSpace(text[end]))
                {
                    end++;
                }
            }

            if (start > done)
            {
                yield return new TextSegment(done, start - done, null);
            }

            yield return new TextSegment(start, end - start, token);
            done = end;
            from = Math.Max(from, end);
        }

        if (done < text.Length)
        {
            yield return new TextSegment(done, text.Length - done, null);
        }
    }

    private (string Text, AddedToken Token) LongestAt(string text, int start)
    {
        foreach (var candidate in _byFirstChar[text[start]])
        {
            if (text.AsSpan(start).StartsWith(candidate.Text, StringComparison.Ordinal))
            {
                return candidate;
            }
        }

        throw new InvalidOperationException("The search found an added token that the table does not hold.");
    }

    private static bool TouchesWordBefore(string text, int start) =>
        start > 0
        && Rune.DecodeLastFromUtf16(text.AsSpan(0, start), out var rune, out _) == OperationStatus.Done
        && UnicodeClasses.IsWord(rune.Value);

    private static bool TouchesWordAfter(string text, int end) =>
        Rune.DecodeFromUtf16(text.AsSpan(end), out var rune, out _) == OperationStatus.Done
        && UnicodeClasses.IsWord(rune.Value);
}
