namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Python's ways to take a string apart.</summary>
internal static class StringSplitting
{
    public static List<object?> Split(RenderState state, string text, CallArguments arguments, bool fromRight)
    {
        string? separator = arguments.GetString(state, 0, "sep");
        int most = arguments.GetInteger(state, 1, "maxsplit", -1);
        if (separator is { Length: 0 })
        {
            throw state.Error("the separator of a split can't be empty.");
        }

        var parts = separator is null ? AtSpace(text, most, fromRight) : AtSeparator(text, separator, most, fromRight);
        state.Produce(parts.Count);
        return parts;
    }

    public static List<object?> Lines(RenderState state, string text, bool keepEnds)
    {
        var lines = new List<object?>();
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] is '\n' or '\r' or '\v' or '\f' or (>= '\x1C' and <= '\x1E') or '\x85' or '\u2028' or '\u2029')
            {
                int end = i;
                if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n')
                {
                    i++;
                }

                lines.Add(text[start..(keepEnds ? i + 1 : end)]);
                start = i + 1;
            }
        }

        if (start < text.Length)
        {
            lines.Add(text[start..]);
        }

        state.Produce(lines.Count);
        return lines;
    }

    public static object?[] Partition(RenderState state, string text, CallArguments arguments, bool fromRight)
    {
        string separator = arguments.GetString(state, 0, "sep") is { Length: > 0 } given
            ? given
            : throw state.Error("the separator of a partition can't be empty.");
        int found = fromRight ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        return found >= 0 ? [text[..found], separator, text[(found + separator.Length)..]]
            : fromRight ? ["", "", text]
            : [text, "", ""];
    }

    private static List<object?> AtSeparator(string text, string separator, int most, bool fromRight)
    {
        var parts = new List<object?>();
        if (!fromRight)
        {
            int start = 0;
            for (int found; (most < 0 || parts.Count < most) && (found = text.IndexOf(separator, start, StringComparison.Ordinal)) >= 0;)
            {
                parts.Add(text[start..found]);
                start = found + separator.Length;
            }

            parts.Add(text[start..]);
            return parts;
        }

        int end = text.Length;
        while ((most < 0 || parts.Count < most) && end >= separator.Length)
        {
            int found = text.AsSpan(0, end).LastIndexOf(separator, StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            parts.Add(text[(found + separator.Length)..end]);
            end = found;
        }

        parts.Add(text[..end]);
        parts.Reverse();
        return parts;
    }

    private static List<object?> AtSpace(string text, int most, bool fromRight)
    {
        var parts = new List<object?>();
        if (!fromRight)
        {
            int start = text.Length - StringMethods.Strip(text, null, left: true, right: false).Length;
            while (start < text.Length)
            {
                if (most >= 0 && parts.Count == most)
                {
                    parts.Add(text[start..]);
                    break;
                }

                int end = start;
                while (end < text.Length && !StringMethods.IsSpace(text[end]))
                {
                    end++;
                }

                parts.Add(text[start..end]);
                start = end;
                while (start < text.Length && StringMethods.IsSpace(text[start]))
                {
                    start++;
                }
            }

            return parts;
        }

        int stop = StringMethods.Strip(text, null, left: false, right: true).Length;
        while (stop > 0)
        {
            if (most >= 0 && parts.Count == most)
            {
                parts.Add(text[..stop]);
                break;
            }

            int start = stop;
            while (start > 0 && !StringMethods.IsSpace(text[start - 1]))
            {
                start--;
            }

            parts.Add(text[start..stop]);
            stop = start;
            while (stop > 0 && StringMethods.IsSpace(text[stop - 1]))
            {
                stop--;
            }
        }

        parts.Reverse();
        return parts;
    }
}
