namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Attributes, items and slices.</summary>
internal static class Lookup
{
    /// <summary><c>value.name</c>: as in Jinja a method goes before a key of the same name.</summary>
    public static object? Attribute(RenderState state, object? value, string name) =>
        TryAttribute(value, name, out object? found) || TryItem(state, value, name, out found)
            ? found
            : Missing(state, value, $"'{name}'", "attribute");

    /// <summary><c>value[key]</c>: an item goes before an attribute of the same name.</summary>
    public static object? Item(RenderState state, object? value, object? key) =>
        TryItem(state, value, key, out object? found) || (key is string name && TryAttribute(value, name, out found))
            ? found
            : Missing(state, value, key is string text ? $"'{text}'" : PythonText.Repr(state, key), "element");

    /// <summary><c>value[start:stop:step]</c>.</summary>
    public static object? Slice(RenderState state, object? value, object? start, object? stop, object? step)
    {
        if (value is Undefined undefined)
        {
            throw state.Error($"{undefined.Reason}, so it can't be sliced.");
        }

        if (value is not (string or List<object?> or object?[]))
        {
            throw state.Error($"a value of type {Values.TypeName(value)} can't be sliced.");
        }

        int by = step is null ? 1 : Values.ToInt32(state, step, "step");
        if (by == 0)
        {
            throw state.Error("the step of a slice can't be zero.");
        }

        if (value is string text && by == 1 && CodePoints.IsBasic(text))
        {
            var (first, end) = Bounds(state, text.Length, start, stop, by);
            state.Produce(Math.Max(0, end - first));
            return end > first ? text[first..end] : "";
        }

        var items = Values.Iterate(state, value);
        var (from, to) = Bounds(state, items.Count, start, stop, by);
        var picked = new List<object?>();
        for (long i = from; by > 0 ? i < to : i > to; i += by)
        {
            picked.Add(items[(int)i]);
        }

        state.Produce(picked.Count);
        return value switch
        {
            string => string.Concat(picked.Cast<string>()),
            object?[] => (object?)picked.ToArray(),
            _ => picked,
        };
    }

    private static (int From, int To) Bounds(RenderState state, int length, object? start, object? stop, int step)
    {
        int lowest = step > 0 ? 0 : -1;
        int highest = step > 0 ? length : length - 1;
        return (Clip(start, step > 0 ? lowest : highest, "start"), Clip(stop, step > 0 ? highest : lowest, "stop"));

        int Clip(object? bound, int fallback, string what)
        {
            if (bound is null)
            {
                return fallback;
            }

            long index = Values.ToInt32(state, bound, what);
            return (int)Math.Clamp(index < 0 ? index + length : index, lowest, highest);
        }
    }

    private static bool TryAttribute(object? value, string name, out object? found)
    {
        found = value switch
        {
            string text => StringMethods.Find(text, name),
            TemplateDict dict => DictMethods.Find(dict, name),
            List<object?> or object?[] => SequenceMethods.Find(value, name),
            LoopContext loop => loop.Attribute(name),
            _ => null,
        };
        return found is not null || (value is Namespace names && names.TryGet(name, out found)) || value is LoopContext;
    }

    private static bool TryItem(RenderState state, object? value, object? key, out object? found)
    {
        found = null;
        state.Scan((value as string)?.Length ?? 0);
        switch (value)
        {
            case TemplateDict dict:
                return dict.TryGet(key, out found);

            case string text when key is long or bool && CodePoints.IsBasic(text):
                int position = Index(state, key, text.Length);
                found = position >= 0 ? text[position].ToString() : null;
                return position >= 0;

            case string or List<object?> or object?[] when key is long or bool:
                var items = Values.Iterate(state, value);
                int index = Index(state, key, items.Count);
                found = index >= 0 ? items[index] : null;
                return index >= 0;

            default:
                return false;
        }
    }

    private static int Index(RenderState state, object? key, int length)
    {
        int index = Values.ToInt32(state, key, "index");
        index = index < 0 ? index + length : index;
        return index >= 0 && index < length ? index : -1;
    }

    private static Undefined Missing(RenderState state, object? value, string what, string kind) =>
        value is Undefined undefined
            ? throw state.Error($"{undefined.Reason}, so it has no {kind} {what}.")
            : new Undefined($"a value of type {Values.TypeName(value)} has no {kind} {what}");
}
