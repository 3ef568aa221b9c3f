using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Python's <c>format % values</c>: s, r, d, i, u, f, F, e, g, x, X, o, c and %%, with flags, width and precision.</summary>
internal static class PercentFormat
{
    public static string Format(RenderState state, string format, object? values)
    {
        var positional = values is object?[] tuple ? tuple : [values];
        var text = new StringBuilder();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            i++;
            string? key = null;
            if (i < format.Length && format[i] == '(')
            {
                int end = format.IndexOf(')', i);
                key = end < 0 ? throw state.Error("the format has a '(' without ')'.") : format[(i + 1)..end];
                i = end + 1;
            }

            var spec = ReadSpec(state, format, ref i);
            if (spec.Type == '%')
            {
                text.Append('%');
                continue;
            }

            object? value = key is not null
                ? Lookup.Item(state, values, key)
                : next < positional.Length ? positional[next++] : throw state.Error("the format needs more values than there are.");
            text.Append(FormatSpec.Pad(state, Convert(state, spec, value), spec, alignLeftByDefault: false));
        }

        if (next < positional.Length && values is object?[])
        {
            throw state.Error("not all values were used by the format.");
        }

        state.Produce(text.Length);
        return text.ToString();
    }

    private static FormatSpec ReadSpec(RenderState state, string format, ref int i)
    {
        var spec = new FormatSpec();
        for (; i < format.Length && "-+ 0#".Contains(format[i]); i++)
        {
            spec = format[i] switch
            {
                '-' => spec with { Align = '<' },
                '+' => spec with { Sign = '+' },
                ' ' => spec with { Sign = ' ' },
                '0' => spec with { ZeroPad = true },
                _ => spec,
            };
        }

        spec = spec with { Width = FormatSpec.ReadNumber(state, format, ref i) ?? 0 };
        if (i < format.Length && format[i] == '.')
        {
            i++;
            spec = spec with { Precision = FormatSpec.ReadNumber(state, format, ref i) ?? 0 };
        }

        return i < format.Length ? spec with { Type = format[i] } : throw state.Error("the format ends within a directive.");
    }

    private static string Convert(RenderState state, FormatSpec spec, object? value) => spec.Type switch
    {
        's' => FormatSpec.Cut(PythonText.Str(state, value), spec.Precision),
        'r' => FormatSpec.Cut(PythonText.Repr(state, value), spec.Precision),
        'i' or 'u' => spec.Number(state, value, 'd'),
        'c' when value is string text => text,
        _ => spec.Number(state, value, spec.Type),
    };
}

/// <summary>How one value is formatted.</summary>
internal readonly record struct FormatSpec(
    char Fill = ' ', char Align = '\0', char Sign = '-', bool ZeroPad = false, int Width = 0, bool Thousands = false, int? Precision = null, char Type = '\0')
{
    public FormatSpec()
        : this(' ')
    {
    }

    public static int? ReadNumber(RenderState state, string text, ref int i)
    {
        int start = i;
        while (i < text.Length && char.IsAsciiDigit(text[i]))
        {
            i++;
        }

        return i == start ? null
            : int.TryParse(text.AsSpan(start, i - start), CultureInfo.InvariantCulture, out int number) && number <= 1_000_000 ? number
            : throw state.Error("a width or precision of a format is too large.");
    }

    public static string Cut(string text, int? length) => length < text.Length ? text[..length.Value] : text;

    public static string Pad(RenderState state, string text, FormatSpec spec, bool alignLeftByDefault)
    {
        int missing = spec.Width - CodePoints.Count(text);
        if (missing <= 0)
        {
            return text;
        }

        state.Produce(missing);
        if (spec.ZeroPad && spec.Align == '\0' && !alignLeftByDefault)
        {
            int digits = text.Length > 0 && text[0] is '-' or '+' or ' ' ? 1 : 0;
            return text[..digits] + new string('0', missing) + text[digits..];
        }

        return (spec.Align == '\0' ? (alignLeftByDefault ? '<' : '>') : spec.Align) switch
        {
            '<' => text + new string(spec.Fill, missing),
            '^' => new string(spec.Fill, missing / 2) + text + new string(spec.Fill, missing - missing / 2),
            _ => new string(spec.Fill, missing) + text,
        };
    }

    /// <summary>A number in a notation: d, x, X, o, b, e, f, g, %.</summary>
    public string Number(RenderState state, object? value, char type)
    {
        if (!Arithmetic.IsNumber(value))
        {
            throw state.Error($"a value of type {Values.TypeName(value)} can't be formatted as a number.");
        }

        string digits = type switch
        {
            'd' or 'x' or 'X' or 'o' or 'b' or 'c' => Integer(state, value is double number ? new BigInteger(number) : Arithmetic.ToInteger(value), type),
            _ => Floating(state, Arithmetic.ToDouble(value), type),
        };
        return digits.StartsWith('-') || Sign == '-' ? digits : Sign + digits;
    }

    private string Integer(RenderState state, BigInteger value, char type)
    {
        string sign = value.Sign < 0 ? "-" : "";
        var magnitude = BigInteger.Abs(value);
        return type switch
        {
            'd' => sign + magnitude.ToString(Thousands ? "N0" : "D", CultureInfo.InvariantCulture),
            'x' => sign + Trim(magnitude.ToString("x", CultureInfo.InvariantCulture)),
            'X' => sign + Trim(magnitude.ToString("X", CultureInfo.InvariantCulture)),
            'b' => sign + Trim(magnitude.ToString("B", CultureInfo.InvariantCulture)),
            'o' => sign + Octal(magnitude),
            _ => magnitude <= 0x10FFFF && System.Text.Rune.IsValid((int)magnitude)
                ? char.ConvertFromUtf32((int)magnitude)
                : throw state.Error("the number is no code point."),
        };

        static string Trim(string digits) => digits.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0";

        static string Octal(BigInteger value)
        {
            var text = new StringBuilder();
            do
            {
                text.Insert(0, (char)('0' + (int)(value % 8)));
                value /= 8;
            }
            while (!value.IsZero);

            return text.ToString();
        }
    }

    private string Floating(RenderState state, double value, char type)
    {
        if (!double.IsFinite(value))
        {
            return PythonText.Float(value);
        }

        int precision = Precision ?? 6;
        return type switch
        {
            'f' or 'F' => value.ToString((Thousands ? "N" : "F") + precision, CultureInfo.InvariantCulture),
            '%' => (value * 100).ToString("F" + precision, CultureInfo.InvariantCulture) + "%",
            'e' or 'E' => value.ToString((type == 'e' ? "0." : "0.") + new string('0', precision) + (type == 'e' ? "e+00" : "E+00"), CultureInfo.InvariantCulture),
            'g' or 'G' => General(value, precision),
            _ => throw state.Error($"the format type '{type}' is not known."),
        };
    }

    private static string General(double value, int precision)
    {
        string scientific = value.ToString("E" + Math.Max(0, precision - 1), CultureInfo.InvariantCulture);
        int exponent = int.Parse(scientific.AsSpan(scientific.IndexOf('E') + 1), CultureInfo.InvariantCulture);
        if (exponent < -4 || exponent >= Math.Max(1, precision))
        {
            string mantissa = scientific[..scientific.IndexOf('E')];
            mantissa = mantissa.Contains('.') ? mantissa.TrimEnd('0').TrimEnd('.') : mantissa;
            return $"{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        string text = value.ToString("F" + Math.Max(0, precision - 1 - exponent), CultureInfo.InvariantCulture);
        return text.Contains('.') ? text.TrimEnd('0').TrimEnd('.') : text;
    }
}
