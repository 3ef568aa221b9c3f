using System.Text;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>
/// Writes a set of code points as a fragment of a .NET regular expression, which sees UTF-16 units: a class for the basic
/// plane and, for text that has surrogates, classes of high and low halves for the other planes.
/// </summary>
internal static class Utf16Fragment
{
    private const string Never = "(?!)";

    /// <summary>The fragment: one atom, so that a quantifier can follow.</summary>
    /// <param name="set">The set. Surrogate code points in it are left out: text holds them only in pairs.</param>
    /// <param name="withSurrogates">Whether the text may have characters beyond the basic plane.</param>
    public static string Of(CodePointSet set, bool withSurrogates)
    {
        string basic = BasicClass(set);
        if (!withSurrogates)
        {
            return basic;
        }

        var alternatives = new List<string>();
        if (basic != Never)
        {
            alternatives.Add(basic);
        }

        AddSupplementary(set, alternatives);
        return alternatives.Count switch
        {
            0 => Never,
            1 when basic != Never => basic,
            _ => $"(?:{string.Join('|', alternatives)})",
        };
    }

    private static string BasicClass(CodePointSet set)
    {
        var text = new StringBuilder();
        foreach (var (first, last) in set.Ranges)
        {
            Append(text, first, Math.Min(last, 0xD7FF));
            Append(text, Math.Max(first, 0xE000), Math.Min(last, 0xFFFF));
        }

        return text.Length == 0 ? Never : $"[{text}]";
    }

    private static void AddSupplementary(CodePointSet set, List<string> alternatives)
    {
        // High halves that take the same low halves share an alternative.
        var lowsOfHigh = new SortedDictionary<int, StringBuilder>();
        foreach (var (first, last) in set.Ranges)
        {
            for (int codePoint = Math.Max(first, 0x10000); codePoint <= last;)
            {
                int blockEnd = Math.Min(last, codePoint | 0x3FF);
                int high = 0xD800 + ((codePoint - 0x10000) >> 10);
                if (!lowsOfHigh.TryGetValue(high, out var lows))
                {
                    lowsOfHigh[high] = lows = new StringBuilder();
                }

                Append(lows, 0xDC00 + (codePoint & 0x3FF), 0xDC00 + (blockEnd & 0x3FF));
                codePoint = blockEnd + 1;
            }
        }

        foreach (var group in lowsOfHigh.GroupBy(pair => pair.Value.ToString(), pair => pair.Key))
        {
            var highs = CodePointSet.FromRanges(group.Select(high => (high, high)));
            var text = new StringBuilder();
            foreach (var (first, last) in highs.Ranges)
            {
                Append(text, first, last);
            }

            alternatives.Add($"[{text}][{group.Key}]");
        }
    }

    private static void Append(StringBuilder text, int first, int last)
    {
        if (first > last)
        {
            return;
        }

        text.Append($"\\u{first:X4}");
        if (last > first)
        {
            text.Append($"-\\u{last:X4}");
        }
    }
}
