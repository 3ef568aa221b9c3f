using System.Globalization;
using System.Numerics;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>
/// Values as JSON, as Python's <c>json.dumps</c> writes them with <c>ensure_ascii=False</c>: what the reference library
/// makes of <c>tojson</c>.
/// </summary>
internal sealed class JsonText(RenderState state, string? indent, string itemSeparator, string keySeparator, bool sortKeys)
{
    private readonly StringBuilder _text = new();

    public string Write(object? value)
    {
        Write(value, level: 0);
        state.Produce(_text.Length);
        return _text.ToString();
    }

    private void Write(object? value, int level)
    {
        switch (value)
        {
            case null:
                _text.Append("null");
                break;
            case bool flag:
                _text.Append(flag ? "true" : "false");
                break;
            case long or BigInteger:
                _text.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double number:
                _text.Append(Number(number));
                break;
            case string text:
                WriteString(text);
                break;
            case List<object?> or object?[]:
                WriteArray((IReadOnlyList<object?>)value, level);
                break;
            case TemplateDict dict:
                WriteObject(dict, level);
                break;
            case Undefined undefined:
                throw state.Error($"{undefined.Reason}, so it can't be written as JSON.");
            default:
                throw state.Error($"a value of type {Values.TypeName(value)} can't be written as JSON.");
        }
    }

    private void WriteArray(IReadOnlyList<object?> items, int level)
    {
        state.RequireStack();
        _text.Append('[');
        for (int i = 0; i < items.Count; i++)
        {
            Separate(first: i == 0, level + 1);
            Write(items[i], level + 1);
        }

        Close(']', items.Count, level);
    }

    private void WriteObject(TemplateDict dict, int level)
    {
        state.RequireStack();
        var entries = dict.Entries.Select(entry => (Key: KeyText(entry.Key), entry.Value));
        if (sortKeys)
        {
            entries = entries.OrderBy(entry => entry.Key, StringComparer.Ordinal);
        }

        _text.Append('{');
        bool first = true;
        foreach (var (key, value) in entries)
        {
            Separate(first, level + 1);
            WriteString(key);
            _text.Append(keySeparator);
            Write(value, level + 1);
            first = false;
        }

        Close('}', dict.Count, level);
    }

    private void Separate(bool first, int level)
    {
        if (!first)
        {
            _text.Append(itemSeparator);
        }

        NewLine(level);
    }

    private void Close(char bracket, int count, int level)
    {
        if (count > 0)
        {
            NewLine(level);
        }

        _text.Append(bracket);
    }

    private void NewLine(int level)
    {
        if (indent is not null)
        {
            state.Produce(level * indent.Length);
            _text.Append('\n').Insert(_text.Length, indent, level);
        }
    }

    private static string KeyText(object key) => key switch
    {
        string text => text,
        double number => Number(number),
        _ => string.Create(CultureInfo.InvariantCulture, $"{key}"),
    };

    private static string Number(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? (value > 0 ? "Infinity" : "-Infinity") : PythonText.Float(value);

    private void WriteString(string text)
    {
        _text.Append('"');
        foreach (char c in text)
        {
            switch (c)
            {
                case '"': _text.Append("\\\""); break;
                case '\\': _text.Append("\\\\"); break;
                case '\n': _text.Append("\\n"); break;
                case '\r': _text.Append("\\r"); break;
                case '\t': _text.Append("\\t"); break;
                case '\b': _text.Append("\\b"); break;
                case '\f': _text.Append("\\f"); break;
                case < ' ': _text.Append($"\\u{(int)c:x4}"); break;
                default: _text.Append(c); break;
            }
        }

        _text.Append('"');
    }
}
