using System.Globalization;
using System.Numerics;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

internal delegate object? Filter(RenderState state, object? value, CallArguments arguments);

/// <summary>What can stand after <c>|</c>.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Filter> All = new(
        TextFilters.All.Concat(SequenceFilters.All).Concat(SelectionFilters.All), StringComparer.Ordinal)
    {
        ["default"] = Default,
        ["d"] = Default,
        ["tojson"] = ToJson,
        ["abs"] = Abs,
        ["round"] = Round,
        ["int"] = ToInteger,
        ["float"] = ToFloat,
        ["attr"] = (state, value, a) => Lookup.Attribute(state, value, PythonText.Str(state, a.Require(state, 0, "name"))),
    };

    public static Filter? Find(string name) => All.GetValueOrDefault(name);

    private static object? Default(RenderState state, object? value, CallArguments arguments) =>
        value is Undefined || (arguments.GetBoolean(1, "boolean", false) && !Values.IsTrue(value))
            ? arguments.Get(0, "default_value", "")
            : value;

    private static object? ToJson(RenderState state, object? value, CallArguments arguments)
    {
        object? indent = arguments.Get(1, "indent");
        string? unit = indent switch
        {
            null => null,
            string text => text,
            _ => new string(' ', Math.Clamp(Values.ToInt32(state, indent, "indent"), 0, 1000)),
        };
        string itemSeparator = unit is null ? ", " : ",";
        string keySeparator = ": ";
        if (arguments.Get(2, "separators") is { } separators)
        {
            var pair = Values.Iterate(state, separators);
            if (pair.Count != 2)
            {
                throw state.Error("\"separators\" must be a pair: between items, and after keys.");
            }

            itemSeparator = PythonText.Str(state, pair[0]);
            keySeparator = PythonText.Str(state, pair[1]);
        }

        string json = new JsonText(state, unit, itemSeparator, keySeparator, arguments.GetBoolean(3, "sort_keys", false)).Write(value);
        return arguments.GetBoolean(0, "ensure_ascii", false)
            ? string.Concat(json.Select(c => char.IsAscii(c) ? c.ToString() : $"\\u{(int)c:x4}"))
            : json;
    }

    private static object? Abs(RenderState state, object? value, CallArguments arguments) =>
        value is double number ? Math.Abs(number)
        : Arithmetic.IsNumber(value) ? Arithmetic.Shrink(state, BigInteger.Abs(Arithmetic.ToInteger(value)))
        : throw state.Error($"abs needs a number, not {Values.TypeName(value)}.");

    private static object? Round(RenderState state, object? value, CallArguments arguments)
    {
        if (!Arithmetic.IsNumber(value))
        {
            throw state.Error($"round needs a number, not {Values.TypeName(value)}.");
        }

        int precision = Math.Clamp(arguments.GetInteger(state, 0, "precision", 0), -15, 15);
        string method = arguments.GetString(state, 1, "method") ?? "common";
        if (value is not double && method == "common" && precision >= 0)
        {
            return value is bool ? Arithmetic.Shrink(state, Arithmetic.ToInteger(value)) : value;
        }

        double number = Arithmetic.ToDouble(value);
        double scale = Math.Pow(10, precision);
        return method switch
        {
            "common" => precision >= 0 ? Math.Round(number, precision, MidpointRounding.ToEven) : Math.Round(number * scale) / scale,
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => throw state.Error($"round does not know the method \"{method}\"; known are common, ceil and floor."),
        };
    }

    private static object? ToInteger(RenderState state, object? value, CallArguments arguments)
    {
        object? fallback = arguments.Get(0, "default", 0L);
        switch (value)
        {
            case bool or long or BigInteger:
                return Arithmetic.Shrink(state, Arithmetic.ToInteger(value));
            case double number:
                return double.IsFinite(number) ? Arithmetic.Shrink(state, new BigInteger(number)) : fallback;
            case string text:
                int radix = arguments.GetInteger(state, 1, "base", 10);
                return ParseInteger(text.Trim().Replace("_", "", StringComparison.Ordinal), radix) is { } integer
                    ? Arithmetic.Shrink(state, integer)
                    : ParseFloat(text) is { } floating && double.IsFinite(floating)
                        ? Arithmetic.Shrink(state, new BigInteger(floating))
                        : fallback;
            default:
                return fallback;
        }
    }

    private static object? ToFloat(RenderState state, object? value, CallArguments arguments) => value switch
    {
        bool or long or BigInteger or double => Arithmetic.ToDouble(value),
        string text when ParseFloat(text) is { } number => number,
        _ => arguments.Get(0, "default", 0.0),
    };

    private static BigInteger? ParseInteger(string text, int radix)
    {
        bool negative = text.StartsWith('-');
        string digits = negative || text.StartsWith('+') ? text[1..] : text;
        string prefix = radix switch { 16 => "0x", 8 => "0o", 2 => "0b", _ => "" };
        if (prefix.Length > 0 && digits.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
        {
            digits = digits[2..];
        }

        if (digits.Length is 0 or > 1000 || radix is < 2 or > 36)
        {
            return null;
        }

        BigInteger result = 0;
        foreach (char c in digits)
        {
            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? (c | 0x20) - 'a' + 10 : 99;
            if (digit >= radix)
            {
                return null;
            }

            result = result * radix + digit;
        }

        return negative ? -result : result;
    }

    private static double? ParseFloat(string text) =>
        double.TryParse(text.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : null;
}
