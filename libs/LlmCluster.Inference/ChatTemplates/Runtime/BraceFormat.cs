using System.Globalization;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Python's <c>str.format</c>: fields by number, by name or in turn, with attributes, items and format specifications.</summary>
internal static class BraceFormat
{
    public static string Format(RenderState state, string format, CallArguments arguments)
    {
        var text = new StringBuilder();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            char c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c)
            {
                text.Append(c);
                i++;
            }
            else if (c == '}')
            {
                throw state.Error("the format has a '}' without '{'.");
            }
            else if (c == '{')
            {
                int end = format.IndexOf('}', i);
                if (end < 0)
                {
                    throw state.Error("the format has a '{' without '}'.");
                }

                text.Append(Field(state, format[(i + 1)..end], arguments, ref next));
                i = end;
            }
            else
            {
                text.Append(c);
            }
        }

        state.Produce(text.Length);
        return text.ToString();
    }

    private static string Field(RenderState state, string field, CallArguments arguments, ref int next)
    {
        int colon = field.IndexOf(':');
        string spec = colon < 0 ? "" : field[(colon + 1)..];
        string name = colon < 0 ? field : field[..colon];
        char conversion = '\0';
        if (name.Length >= 2 && name[^2] == '!')
        {
            conversion = name[^1];
            name = name[..^2];
        }

        object? value = Find(state, name, arguments, ref next);
        value = conversion switch
        {
            'r' => PythonText.Repr(state, value),
            's' => PythonText.Str(state, value),
            _ => value,
        };
        return Apply(state, value, spec);
    }

    private static object? Find(RenderState state, string name, CallArguments arguments, ref int next)
    {
        int end = name.IndexOfAny(['.', '[']);
        string first = end < 0 ? name : name[..end];
        object? value;
        if (first.Length == 0 || int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            int index = first.Length == 0 ? next++ : int.Parse(first, CultureInfo.InvariantCulture);
            value = index < arguments.Positional.Count
                ? arguments.Positional[index]
                : throw state.Error($"the format needs the value {index}, and there are {arguments.Positional.Count}.");
        }
        else if (!arguments.TryGet(int.MaxValue, first, out value))
        {
            throw state.Error($"the format needs the value \"{first}\".");
        }

        while (end >= 0 && end < name.Length)
        {
            bool bracket = name[end] == '[';
            int stop = bracket ? name.IndexOf(']', end) : name.IndexOfAny(['.', '['], end + 1);
            if (bracket && stop < 0)
            {
                throw state.Error("the format has a '[' without ']'.");
            }

            stop = stop < 0 ? name.Length : stop;
            string part = name[(end + 1)..stop];
            value = !bracket ? Lookup.Attribute(state, value, part)
                : long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? Lookup.Item(state, value, index)
                : Lookup.Item(state, value, part);
            end = bracket ? stop + 1 : stop;
        }

        return value;
    }

    private static string Apply(RenderState state, object? value, string text)
    {
        if (text.Length == 0)
        {
            return PythonText.Str(state, value);
        }

        int i = 0;
        var spec = new FormatSpec();
        if (text.Length > 1 && "<>^=".Contains(text[1]))
        {
            spec = spec with { Fill = text[0], Align = text[1] };
            i = 2;
        }
        else if ("<>^=".Contains(text[0]))
        {
            spec = spec with { Align = text[0] };
            i = 1;
        }

        if (i < text.Length && "+- ".Contains(text[i]))
        {
            spec = spec with { Sign = text[i++] };
        }

        if (i < text.Length && text[i] == '0')
        {
            spec = spec with { ZeroPad = true };
            i++;
        }

        spec = spec with { Width = FormatSpec.ReadNumber(state, text, ref i) ?? 0 };
        if (i < text.Length && text[i] == ',')
        {
            spec = spec with { Thousands = true };
            i++;
        }

        if (i < text.Length && text[i] == '.')
        {
            i++;
            spec = spec with { Precision = FormatSpec.ReadNumber(state, text, ref i) };
        }

        char type = i < text.Length ? text[i++] : '\0';
        if (i < text.Length)
        {
            throw state.Error($"the format specification \"{text}\" is not understood.");
        }

        bool number = Arithmetic.IsNumber(value) && type != 's' && value is not bool;
        string formatted = !number ? FormatSpec.Cut(PythonText.Str(state, value), spec.Precision)
            : type != '\0' ? spec.Number(state, value, type)
            : value is double && spec.Precision is null ? WithSign(spec, PythonText.Float((double)value))
            : spec.Number(state, value, value is double ? 'g' : 'd');
        return FormatSpec.Pad(state, formatted, spec, alignLeftByDefault: !number);
    }

    private static string WithSign(FormatSpec spec, string digits) =>
        spec.Sign == '-' || digits.StartsWith('-') ? digits : spec.Sign + digits;
}
