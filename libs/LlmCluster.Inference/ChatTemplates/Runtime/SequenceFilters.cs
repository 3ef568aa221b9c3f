namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Filters that look at a sequence as a whole, or put its elements in another order.</summary>
internal static class SequenceFilters
{
    public static IEnumerable<KeyValuePair<string, Filter>> All { get; } = new Dictionary<string, Filter>(StringComparer.Ordinal)
    {
        ["length"] = (state, value, _) => Values.Length(state, value),
        ["count"] = (state, value, _) => Values.Length(state, value),
        ["list"] = (state, value, _) => Values.ToList(state, value),
        ["first"] = (state, value, _) => Values.Iterate(state, value) is { Count: > 0 } items ? items[0] : new Undefined("the sequence is empty"),
        ["last"] = (state, value, _) => Values.Iterate(state, value) is { Count: > 0 } items ? items[^1] : new Undefined("the sequence is empty"),
        ["reverse"] = Reverse,
        ["items"] = (state, value, _) => value switch
        {
            TemplateDict dict => DictMethods.Items(state, dict),
            Undefined => new List<object?>(),
            _ => throw state.Error($"items needs a mapping, not {Values.TypeName(value)}."),
        },
        ["sort"] = Sort,
        ["dictsort"] = DictSort,
        ["unique"] = Unique,
        ["min"] = (state, value, a) => Extreme(state, value, a, sign: -1),
        ["max"] = (state, value, a) => Extreme(state, value, a, sign: 1),
        ["sum"] = Sum,
        ["batch"] = Batch,
        ["slice"] = Slice,
        ["groupby"] = GroupBy,
    };

    private static object? Reverse(RenderState state, object? value, CallArguments arguments)
    {
        if (value is string text)
        {
            state.Produce(text.Length);
            return CodePoints.Reverse(text);
        }

        var list = Values.ToList(state, value);
        list.Reverse();
        return list;
    }

    private static object? Sort(RenderState state, object? value, CallArguments arguments)
    {
        bool descending = arguments.GetBoolean(0, "reverse", false);
        bool caseSensitive = arguments.GetBoolean(1, "case_sensitive", false);
        object? attribute = arguments.Get(2, "attribute");
        return Sorted(state, Values.ToList(state, value), item => Key(state, item, attribute, caseSensitive), descending);
    }

    private static object? DictSort(RenderState state, object? value, CallArguments arguments)
    {
        if (value is not TemplateDict dict)
        {
            throw state.Error($"dictsort needs a mapping, not {Values.TypeName(value)}.");
        }

        bool caseSensitive = arguments.GetBoolean(0, "case_sensitive", false);
        int position = arguments.GetString(state, 1, "by") switch
        {
            null or "key" => 0,
            "value" => 1,
            var other => throw state.Error($"dictsort sorts by key or value, not by \"{other}\"."),
        };
        return Sorted(
            state,
            DictMethods.Items(state, dict),
            pair => Fold(((object?[])pair!)[position], caseSensitive),
            arguments.GetBoolean(2, "reverse", false));
    }

    private static List<object?> Sorted(RenderState state, List<object?> items, Func<object?, object?> key, bool descending)
    {
        // LINQ's sort keeps equal elements in order, as Python's does in both directions.
        var order = Comparer<object?>.Create((left, right) =>
        {
            state.Step(state.Line);
            return Comparisons.Order(state, left, right);
        });
        return [.. descending ? items.OrderByDescending(key, order) : items.OrderBy(key, order)];
    }

    /// <summary>What an element is sorted by; several attributes are given with commas between them.</summary>
    private static object? Key(RenderState state, object? item, object? attribute, bool caseSensitive) =>
        attribute is null ? Fold(item, caseSensitive)
        : attribute is string names && names.Contains(',')
            ? names.Split(',').Select(name => Fold(AttributePath.Get(state, item, name.Trim()), caseSensitive)).ToArray()
            : Fold(AttributePath.Get(state, item, attribute), caseSensitive);

    private static object? Fold(object? value, bool caseSensitive) =>
        value is string text && !caseSensitive ? text.ToLowerInvariant() : value;

    private static object? Unique(RenderState state, object? value, CallArguments arguments)
    {
        bool caseSensitive = arguments.GetBoolean(0, "case_sensitive", false);
        object? attribute = arguments.Get(1, "attribute");
        var seen = new TemplateDict();
        var others = new List<object?>();
        var kept = new List<object?>();
        foreach (object? item in Values.Iterate(state, value))
        {
            state.Step(state.Line);
            object? key = Key(state, item, attribute, caseSensitive);
            if (key is string or long or bool or double)
            {
                if (seen.TryGet(key, out _))
                {
                    continue;
                }

                seen.Set(state, key, null);
            }
            else if (Comparisons.Contains(state, others, key))
            {
                continue;
            }
            else
            {
                others.Add(key);
            }

            kept.Add(item);
        }

        return kept;
    }

    private static object? Extreme(RenderState state, object? value, CallArguments arguments, int sign)
    {
        bool caseSensitive = arguments.GetBoolean(0, "case_sensitive", false);
        object? attribute = arguments.Get(1, "attribute");
        var items = Values.Iterate(state, value);
        if (items.Count == 0)
        {
            return new Undefined("the sequence is empty");
        }

        object? best = items[0];
        foreach (object? item in items.Skip(1))
        {
            int order = Comparisons.Order(
                state, Key(state, item, attribute, caseSensitive), Key(state, best, attribute, caseSensitive));
            if (Math.Sign(order) == sign)
            {
                best = item;
            }
        }

        return best;
    }

    private static object? Sum(RenderState state, object? value, CallArguments arguments)
    {
        object? attribute = arguments.Get(0, "attribute");
        object? total = arguments.Get(1, "start", 0L);
        foreach (object? item in Values.Iterate(state, value))
        {
            total = Arithmetic.Apply(state, "+", total, attribute is null ? item : AttributePath.Get(state, item, attribute));
        }

        return total;
    }

    private static object? Batch(RenderState state, object? value, CallArguments arguments)
    {
        int size = arguments.GetInteger(state, 0, "linecount", 0);
        if (size <= 0)
        {
            throw state.Error("batch needs a size of at least 1.");
        }

        var batches = new List<object?>();
        foreach (object?[] chunk in Values.ToList(state, value).Chunk(size))
        {
            var batch = new List<object?>(chunk);
            if (arguments.Get(1, "fill_with") is { } fill)
            {
                state.Produce(size - chunk.Length);
                batch.AddRange(Enumerable.Repeat((object?)fill, size - chunk.Length));
            }

            batches.Add(batch);
        }

        return batches;
    }

    private static object? Slice(RenderState state, object? value, CallArguments arguments)
    {
        int count = arguments.GetInteger(state, 0, "slices", 0);
        if (count <= 0)
        {
            throw state.Error("slice needs a number of at least 1.");
        }

        state.Produce(count);
        var items = Values.ToList(state, value);
        int size = items.Count / count;
        int longer = items.Count % count;
        var slices = new List<object?>();
        for (int i = 0, start = 0; i < count; i++)
        {
            int length = size + (i < longer ? 1 : 0);
            var slice = items.GetRange(start, length);
            start += length;
            if (i >= longer && longer > 0 && arguments.Get(1, "fill_with") is { } fill)
            {
                slice.Add(fill);
            }

            slices.Add(slice);
        }

        return slices;
    }

    private static object? GroupBy(RenderState state, object? value, CallArguments arguments)
    {
        object? attribute = arguments.Require(state, 0, "attribute");
        object? fallback = arguments.Get(1, "default");
        bool caseSensitive = arguments.GetBoolean(2, "case_sensitive", false);
        object? Of(object? item) => AttributePath.Get(state, item, attribute) is var found && found is Undefined && fallback is not null ? fallback : found;
        var groups = new List<object?>();
        object? lastKey = null;
        List<object?>? members = null;
        foreach (object? item in Sorted(state, Values.ToList(state, value), item => Fold(Of(item), caseSensitive), descending: false))
        {
            object? key = Fold(Of(item), caseSensitive);
            if (members is null || !Comparisons.AreEqual(state, key, lastKey))
            {
                members = [];
                groups.Add(new object?[] { Of(item), members });
                lastKey = key;
            }

            members.Add(item);
        }

        return groups;
    }
}
