using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Values as text, as Python's <c>str</c> and <c>repr</c> write them.</summary>
internal static class PythonText
{
    public static string Str(RenderState state, object? value) => value switch
    {
        string text => text,
        Undefined => "",
        _ => Repr(state, value),
    };

    public static string Repr(RenderState state, object? value)
    {
        var text = new StringBuilder();
        Write(state, text, value);
        state.Produce(text.Length);
        return text.ToString();
    }

    /// <summary>The shortest digits that read back as the number; an exponent below 1e-4 and from 1e16 on.</summary>
    public static string Float(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        string shortest = value.ToString("E16", CultureInfo.InvariantCulture);
        string digits = value.ToString("R", CultureInfo.InvariantCulture);
        int exponent = value == 0 ? 0 : int.Parse(shortest.AsSpan(shortest.IndexOf('E') + 1), CultureInfo.InvariantCulture);
        if (exponent is >= -4 and < 16)
        {
            return Fixed(digits);
        }

        // "R" may have written it either way; take the significant digits from it and place the point anew.
        string sign = value < 0 ? "-" : "";
        string significant = string.Concat(digits.Split('E')[0].Where(char.IsAsciiDigit)).TrimStart('0').TrimEnd('0');
        string mantissa = significant.Length > 1 ? $"{significant[0]}.{significant[1..]}" : significant;
        return $"{sign}{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }

    private static string Fixed(string digits)
    {
        int e = digits.IndexOf('E');
        if (e >= 0)
        {
            digits = decimal.Parse(digits, NumberStyles.Float, CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);
        }

        return digits.Contains('.') ? digits : digits + ".0";
    }

    private static void Write(RenderState state, StringBuilder text, object? value)
    {
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool flag:
                text.Append(flag ? "True" : "False");
                break;
            case long number:
                text.Append(number.ToString(CultureInfo.InvariantCulture));
                break;
            case BigInteger number:
                text.Append(number.ToString(CultureInfo.InvariantCulture));
                break;
            case double number:
                text.Append(Float(number));
                break;
            case string content:
                WriteString(text, content);
                break;
            case List<object?> list:
                WriteItems(state, text, '[', list, ']');
                break;
            case object?[] tuple:
                WriteItems(state, text, '(', tuple, ')');
                if (tuple.Length == 1)
                {
                    text.Insert(text.Length - 1, ',');
                }

                break;
            case TemplateDict dict:
                WriteDict(state, text, dict);
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            case TemplateFunction function:
                text.Append("<function ").Append(function.Name).Append('>');
                break;
            default:
                text.Append('<').Append(Values.TypeName(value)).Append('>');
                break;
        }
    }

    private static void WriteItems(RenderState state, StringBuilder text, char open, IReadOnlyList<object?> items, char close)
    {
        state.RequireStack();
        text.Append(open);
        for (int i = 0; i < items.Count; i++)
        {
            text.Append(i > 0 ? ", " : "");
            Write(state, text, items[i]);
        }

        text.Append(close);
    }

    private static void WriteDict(RenderState state, StringBuilder text, TemplateDict dict)
    {
        state.RequireStack();
        text.Append('{');
        bool first = true;
        foreach (var (key, value) in dict.Entries)
        {
            text.Append(first ? "" : ", ");
            Write(state, text, key);
            text.Append(": ");
            Write(state, text, value);
            first = false;
        }

        text.Append('}');
    }

    private static void WriteString(StringBuilder text, string content)
    {
        char quote = content.Contains('\'') && !content.Contains('"') ? '"' : '\'';
        text.Append(quote);
        foreach (var rune in content.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\\': text.Append("\\\\"); break;
                case var c when c == quote: text.Append('\\').Append(quote); break;
                case var _ when IsPrintable(rune): text.Append(rune.ToString()); break;
                case <= 0xFF: text.Append($"\\x{rune.Value:x2}"); break;
                case <= 0xFFFF: text.Append($"\\u{rune.Value:x4}"); break;
                default: text.Append($"\\U{rune.Value:x8}"); break;
            }
        }

        text.Append(quote);
    }

    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.SpaceSeparator);
}
