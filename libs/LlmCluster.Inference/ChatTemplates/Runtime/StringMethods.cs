using System.Globalization;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Methods of strings, as Python has them.</summary>
internal static class StringMethods
{
    private delegate object? Method(RenderState state, string text, CallArguments arguments);

    private static readonly Dictionary<string, Method> Methods = new(StringComparer.Ordinal)
    {
        ["strip"] = (state, text, a) => Strip(text, a.GetString(state, 0, "chars"), left: true, right: true),
        ["lstrip"] = (state, text, a) => Strip(text, a.GetString(state, 0, "chars"), left: true, right: false),
        ["rstrip"] = (state, text, a) => Strip(text, a.GetString(state, 0, "chars"), left: false, right: true),
        ["split"] = (state, text, a) => StringSplitting.Split(state, text, a, fromRight: false),
        ["rsplit"] = (state, text, a) => StringSplitting.Split(state, text, a, fromRight: true),
        ["splitlines"] = (state, text, a) => StringSplitting.Lines(state, text, a.GetBoolean(0, "keepends", false)),
        ["partition"] = (state, text, a) => StringSplitting.Partition(state, text, a, fromRight: false),
        ["rpartition"] = (state, text, a) => StringSplitting.Partition(state, text, a, fromRight: true),
        ["startswith"] = (state, text, a) => Affixes(state, a, "prefix").Any(x => text.StartsWith(x, StringComparison.Ordinal)),
        ["endswith"] = (state, text, a) => Affixes(state, a, "suffix").Any(x => text.EndsWith(x, StringComparison.Ordinal)),
        ["removeprefix"] = (state, text, a) =>
            a.GetString(state, 0, "prefix") is { } x && text.StartsWith(x, StringComparison.Ordinal) ? text[x.Length..] : text,
        ["removesuffix"] = (state, text, a) =>
            a.GetString(state, 0, "suffix") is { } x && text.EndsWith(x, StringComparison.Ordinal) ? text[..^x.Length] : text,
        ["upper"] = (_, text, _) => Upper(text),
        ["lower"] = (_, text, _) => text.ToLowerInvariant(),
        ["casefold"] = (_, text, _) => text.ToLowerInvariant(),
        ["swapcase"] = (_, text, _) => string.Concat(text.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c))),
        ["capitalize"] = (_, text, _) => Capitalize(text),
        ["title"] = (_, text, _) => Title(text),
        ["replace"] = (state, text, a) => Replace(
            state, text, PythonText.Str(state, a.Require(state, 0, "old")), PythonText.Str(state, a.Require(state, 1, "new")),
            a.GetInteger(state, 2, "count", -1)),
        ["join"] = (state, text, a) => Join(state, text, Values.Iterate(state, a.Require(state, 0, "iterable"))),
        ["format"] = BraceFormat.Format,
        ["find"] = (state, text, a) => Find(state, text, a, last: false),
        ["rfind"] = (state, text, a) => Find(state, text, a, last: true),
        ["index"] = (state, text, a) => Find(state, text, a, last: false) is >= 0 and var at ? at : throw state.Error("the substring was not found."),
        ["count"] = (state, text, a) => Count(state, text, a.GetString(state, 0, "sub") ?? ""),
        ["isdigit"] = (_, text, _) => All(text, char.IsDigit),
        ["isnumeric"] = (_, text, _) => All(text, char.IsNumber),
        ["isdecimal"] = (_, text, _) => All(text, char.IsDigit),
        ["isalpha"] = (_, text, _) => All(text, char.IsLetter),
        ["isalnum"] = (_, text, _) => All(text, char.IsLetterOrDigit),
        ["isspace"] = (_, text, _) => All(text, IsSpace),
        ["isascii"] = (_, text, _) => Ascii.IsValid(text),
        ["isupper"] = (_, text, _) => text.Any(char.IsUpper) && !text.Any(char.IsLower),
        ["islower"] = (_, text, _) => text.Any(char.IsLower) && !text.Any(char.IsUpper),
        ["zfill"] = (state, text, a) => FormatSpec.Pad(
            state, text, new FormatSpec { ZeroPad = true, Width = a.GetInteger(state, 0, "width", 0) }, alignLeftByDefault: false),
        ["ljust"] = (state, text, a) => Pad(state, text, a, '<'),
        ["rjust"] = (state, text, a) => Pad(state, text, a, '>'),
        ["center"] = (state, text, a) => Center(state, text, a.GetInteger(state, 0, "width", 0), a.GetString(state, 1, "fillchar") ?? " "),
    };

    public static TemplateFunction? Find(string text, string name) =>
        Methods.TryGetValue(name, out var method)
            ? new NativeFunction(name, (state, arguments) =>
            {
                state.Scan(text.Length);
                return state.Made(text, method(state, text, arguments));
            })
            : null;

    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1C' and <= '\x1F';

    public static string Strip(string text, string? characters, bool left, bool right)
    {
        int start = 0;
        int end = text.Length;
        while (left && start < end && Matches(text[start]))
        {
            start++;
        }

        while (right && end > start && Matches(text[end - 1]))
        {
            end--;
        }

        return start == 0 && end == text.Length ? text : text[start..end];

        bool Matches(char c) => characters is null ? IsSpace(c) : characters.Contains(c);
    }

    public static string Upper(string text) => text.Replace("ß", "SS", StringComparison.Ordinal).ToUpperInvariant();

    public static string Capitalize(string text) => text.Length == 0 ? text : Upper(text[..1]) + text[1..].ToLowerInvariant();

    public static string Replace(RenderState state, string text, string old, string replacement, int count)
    {
        if (count == 0 || (old.Length > 0 && !text.Contains(old, StringComparison.Ordinal)))
        {
            return text;
        }

        var result = new StringBuilder();
        int done = 0;
        for (int replaced = 0; count < 0 || replaced < count; replaced++)
        {
            // The empty string is found before every character and at the end.
            int found = old.Length > 0 ? text.IndexOf(old, done, StringComparison.Ordinal) : replaced <= text.Length ? replaced : -1;
            if (found < 0)
            {
                break;
            }

            state.Produce(replacement.Length);
            result.Append(text, done, found - done).Append(replacement);
            done = found + old.Length;
        }

        return result.Append(text, done, text.Length - done).ToString();
    }

    public static string Join(RenderState state, string separator, IReadOnlyList<object?> items)
    {
        var text = new StringBuilder();
        for (int i = 0; i < items.Count; i++)
        {
            string item = PythonText.Str(state, items[i]);
            state.Produce(item.Length + separator.Length);
            text.Append(i > 0 ? separator : "").Append(item);
        }

        return text.ToString();
    }

    /// <summary>A capital after everything that is no letter.</summary>
    private static string Title(string text)
    {
        char[] characters = text.ToCharArray();
        bool inWord = false;
        for (int i = 0; i < characters.Length; i++)
        {
            characters[i] = inWord ? char.ToLowerInvariant(characters[i]) : char.ToUpperInvariant(characters[i]);
            inWord = char.IsLetter(characters[i]);
        }

        return new string(characters);
    }

    private static IEnumerable<string> Affixes(RenderState state, CallArguments arguments, string name) =>
        arguments.Require(state, 0, name) switch
        {
            string text => [text],
            object?[] tuple => tuple.Select(item => item as string
                ?? throw state.Error($"the argument \"{name}\" must hold strings, not {Values.TypeName(item)}.")),
            var other => throw state.Error($"the argument \"{name}\" must be a string or a tuple of strings, not {Values.TypeName(other)}."),
        };

    private static long Find(RenderState state, string text, CallArguments arguments, bool last)
    {
        string part = arguments.GetString(state, 0, "sub") ?? "";
        int found = last ? text.LastIndexOf(part, StringComparison.Ordinal) : text.IndexOf(part, StringComparison.Ordinal);
        return found < 0 ? -1 : CodePoints.Count(text[..found]);
    }

    private static long Count(RenderState state, string text, string part)
    {
        if (part.Length == 0)
        {
            return CodePoints.Count(text) + 1;
        }

        long count = 0;
        for (int at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
        {
            count++;
        }

        return count;
    }

    private static bool All(string text, Func<char, bool> predicate) => text.Length > 0 && text.All(predicate);

    /// <summary>Padding on both sides; the odd one goes left when the width is odd.</summary>
    public static string Center(RenderState state, string text, int width, string fill)
    {
        int length = CodePoints.Count(text);
        int missing = Math.Max(0, width - length);
        int left = missing / 2 + (missing & width & 1);
        char with = fill.Length == 1 ? fill[0] : throw state.Error("the fill character must be one character.");
        state.Produce(missing);
        return new string(with, left) + text + new string(with, missing - left);
    }

    private static string Pad(RenderState state, string text, CallArguments arguments, char align)
    {
        string fill = arguments.GetString(state, 1, "fillchar") ?? " ";
        return FormatSpec.Pad(
            state,
            text,
            new FormatSpec { Align = align, Fill = fill.Length == 1 ? fill[0] : ' ', Width = arguments.GetInteger(state, 0, "width", 0) },
            alignLeftByDefault: true);
    }
}
