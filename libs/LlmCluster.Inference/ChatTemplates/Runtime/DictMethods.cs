namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Methods of dictionaries; those that change one are left out, since input must stay as it is.</summary>
internal static class DictMethods
{
    public static TemplateFunction? Find(TemplateDict dict, string name) => name switch
    {
        "items" => new NativeFunction(name, (state, _) => Items(state, dict)),
        "keys" => new NativeFunction(name, (state, _) => Values.ToList(state, dict)),
        "values" => new NativeFunction(name, (state, _) =>
        {
            state.Produce(dict.Count);
            return dict.Entries.Select(entry => entry.Value).ToList();
        }),
        "get" => new NativeFunction(name, (state, arguments) =>
            dict.TryGet(arguments.Require(state, 0, "key"), out object? value) ? value : arguments.Get(1, "default")),
        "copy" => new NativeFunction(name, (_, _) => dict),
        "pop" or "popitem" or "clear" or "update" or "setdefault" => new NativeFunction(name, (state, _) =>
            throw state.Error($"dict.{name} would change its dictionary, which templates can't.")),
        _ => null,
    };

    /// <summary>Keys and values in pairs.</summary>
    public static List<object?> Items(RenderState state, TemplateDict dict)
    {
        state.Produce(dict.Count);
        return [.. dict.Entries.Select(entry => (object?)new object?[] { entry.Key, entry.Value })];
    }
}

/// <summary>Methods of lists and tuples; those that change one are left out.</summary>
internal static class SequenceMethods
{
    public static TemplateFunction? Find(object? sequence, string name) => name switch
    {
        "index" => new NativeFunction(name, (state, arguments) => Index(state, sequence, arguments.Require(state, 0, "value"))),
        "count" => new NativeFunction(name, (state, arguments) =>
        {
            object? wanted = arguments.Require(state, 0, "value");
            return Values.Iterate(state, sequence).LongCount(item => Comparisons.AreEqual(state, item, wanted));
        }),
        "copy" when sequence is List<object?> => new NativeFunction(name, (state, _) => Values.ToList(state, sequence)),
        "append" or "extend" or "insert" or "pop" or "remove" or "clear" or "sort" or "reverse" when sequence is List<object?> =>
            new NativeFunction(name, (state, _) =>
                throw state.Error($"list.{name} would change its list, which templates can't; use list + [...].")),
        _ => null,
    };

    private static object? Index(RenderState state, object? sequence, object? wanted)
    {
        var items = Values.Iterate(state, sequence);
        for (int i = 0; i < items.Count; i++)
        {
            if (Comparisons.AreEqual(state, items[i], wanted))
            {
                return (long)i;
            }
        }

        throw state.Error("the value is not in the list.");
    }
}
