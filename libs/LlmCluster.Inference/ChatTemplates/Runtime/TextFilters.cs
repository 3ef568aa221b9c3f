using System.Text;
using System.Text.RegularExpressions;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Filters that make text of a value.</summary>
internal static partial class TextFilters
{
    public static IEnumerable<KeyValuePair<string, Filter>> All { get; } = new Dictionary<string, Filter>(StringComparer.Ordinal)
    {
        ["trim"] = Text((state, text, a) => StringMethods.Strip(text, a.GetString(state, 0, "chars"), left: true, right: true)),
        ["upper"] = Text((_, text, _) => StringMethods.Upper(text)),
        ["lower"] = Text((_, text, _) => text.ToLowerInvariant()),
        ["capitalize"] = Text((_, text, _) => StringMethods.Capitalize(text)),
        ["title"] = Text((_, text, _) => string.Concat(
            WordBeginnings().Split(text).Where(part => part.Length > 0).Select(StringMethods.Capitalize))),
        ["string"] = Text((_, text, _) => text),
        ["safe"] = Text((_, text, _) => text),
        ["e"] = Text((_, text, _) => Escape(text)),
        ["escape"] = Text((_, text, _) => Escape(text)),
        ["replace"] = Text((state, text, a) => StringMethods.Replace(
            state, text, PythonText.Str(state, a.Require(state, 0, "old")), PythonText.Str(state, a.Require(state, 1, "new")),
            a.GetInteger(state, 2, "count", -1))),
        ["indent"] = Text(Indent),
        ["truncate"] = Text(Truncate),
        ["wordcount"] = Text((_, text, _) => (long)Words().Count(text)),
        ["center"] = Text((state, text, a) => StringMethods.Center(state, text, a.GetInteger(state, 0, "width", 80), " ")),
        ["format"] = Text((state, text, a) => PercentFormat.Format(
            state, text, a.Positional.Count > 0 ? a.Positional.ToArray() : NamedValues(state, a))),
        ["join"] = Join,
    };

    private static Filter Text(Func<RenderState, string, CallArguments, object?> body) => (state, value, arguments) =>
    {
        string text = PythonText.Str(state, value);
        state.Scan(text.Length);
        return state.Made(text, body(state, text, arguments));
    };

    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal)
        .Replace("\"", "&#34;", StringComparison.Ordinal);

    private static TemplateDict NamedValues(RenderState state, CallArguments arguments)
    {
        var dict = new TemplateDict();
        foreach (var (name, value) in arguments.Named)
        {
            dict.Set(state, name, value);
        }

        return dict;
    }

    /// <summary>Indents all lines but the first, unless told, and but empty ones, unless told.</summary>
    private static object? Indent(RenderState state, string text, CallArguments arguments)
    {
        object? width = arguments.Get(0, "width", 4L);
        string unit = width is string given ? given : new string(' ', Math.Clamp(Values.ToInt32(state, width, "width"), 0, 1000));
        bool first = arguments.GetBoolean(1, "first", false);
        bool blank = arguments.GetBoolean(2, "blank", false);
        var lines = StringSplitting.Lines(state, text + "\n", keepEnds: false);
        state.Produce((long)lines.Count * unit.Length);
        var result = new StringBuilder(first ? unit : "");
        for (int i = 0; i < lines.Count; i++)
        {
            string line = (string)lines[i]!;
            result.Append(i == 0 ? "" : "\n").Append(i > 0 && (blank || line.Length > 0) ? unit : "").Append(line);
        }

        return result.ToString();
    }

    private static object? Truncate(RenderState state, string text, CallArguments arguments)
    {
        int length = arguments.GetInteger(state, 0, "length", 255);
        bool killWords = arguments.GetBoolean(1, "killwords", false);
        string end = arguments.GetString(state, 2, "end") ?? "...";
        int leeway = arguments.GetInteger(state, 3, "leeway", 5);
        if (CodePoints.Count(text) <= (long)length + leeway)
        {
            return text;
        }

        if (length < end.Length)
        {
            throw state.Error($"truncate: the length {length} is less than that of its end.");
        }

        string kept = (string)Lookup.Slice(state, text, null, (long)length - end.Length, null)!;
        int space = killWords ? -1 : kept.LastIndexOf(' ');
        return (space < 0 ? kept : kept[..space]) + end;
    }

    private static object? Join(RenderState state, object? value, CallArguments arguments)
    {
        string separator = PythonText.Str(state, arguments.Get(0, "d", ""));
        var items = Values.Iterate(state, value);
        return arguments.Get(1, "attribute") is { } attribute
            ? StringMethods.Join(state, separator, [.. items.Select(item => AttributePath.Get(state, item, attribute))])
            : StringMethods.Join(state, separator, items);
    }

    [GeneratedRegex(@"([-\s({\[<]+)")]
    private static partial Regex WordBeginnings();

    [GeneratedRegex(@"\w+")]
    private static partial Regex Words();
}
