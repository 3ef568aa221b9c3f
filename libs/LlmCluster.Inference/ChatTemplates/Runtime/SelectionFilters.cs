namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Filters that go through a sequence with a test or another filter.</summary>
internal static class SelectionFilters
{
    public static IEnumerable<KeyValuePair<string, Filter>> All { get; } = new Dictionary<string, Filter>(StringComparer.Ordinal)
    {
        ["map"] = Map,
        ["select"] = (state, value, a) => Select(state, value, a, byAttribute: false, keep: true),
        ["reject"] = (state, value, a) => Select(state, value, a, byAttribute: false, keep: false),
        ["selectattr"] = (state, value, a) => Select(state, value, a, byAttribute: true, keep: true),
        ["rejectattr"] = (state, value, a) => Select(state, value, a, byAttribute: true, keep: false),
    };

    private static object? Map(RenderState state, object? value, CallArguments arguments)
    {
        var items = Values.Iterate(state, value);
        state.Produce(items.Count);
        var result = new List<object?>(items.Count);
        if (arguments.Positional.Count == 0)
        {
            object? attribute = arguments.Require(state, 0, "attribute");
            object? fallback = arguments.Get(int.MaxValue, "default");
            foreach (object? item in items)
            {
                state.Step(state.Line);
                object? found = AttributePath.Get(state, item, attribute);
                result.Add(found is Undefined && fallback is not null ? fallback : found);
            }

            return result;
        }

        string name = PythonText.Str(state, arguments.Positional[0]);
        var filter = Filters.Find(name) ?? throw state.Error($"unknown filter \"{name}\".");
        var rest = arguments.Skip(1);
        foreach (object? item in items)
        {
            state.Step(state.Line);
            result.Add(filter(state, item, rest));
        }

        return result;
    }

    private static object? Select(RenderState state, object? value, CallArguments arguments, bool byAttribute, bool keep)
    {
        object? attribute = byAttribute ? arguments.Require(state, 0, "attribute") : null;
        int position = byAttribute ? 1 : 0;
        Test? test = null;
        if (arguments.Positional.Count > position)
        {
            string name = PythonText.Str(state, arguments.Positional[position]);
            test = Tests.Find(name) ?? throw state.Error($"unknown test \"{name}\".");
        }

        var rest = arguments.Skip(position + 1);
        var kept = new List<object?>();
        foreach (object? item in Values.Iterate(state, value))
        {
            state.Step(state.Line);
            object? tested = byAttribute ? AttributePath.Get(state, item, attribute) : item;
            if ((test is null ? Values.IsTrue(tested) : test(state, tested, rest)) == keep)
            {
                kept.Add(item);
            }
        }

        state.Produce(kept.Count);
        return kept;
    }
}
