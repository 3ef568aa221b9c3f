namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>The functions that every template can call.</summary>
internal static class Globals
{
    private const int LongestRange = 100_000;

    private static readonly TemplateFunction[] Functions =
    [
        new NativeFunction("range", Range),
        new NativeFunction("dict", Dict),
        new NativeFunction("namespace", MakeNamespace),
        new NativeFunction("joiner", Joiner),
        new NativeFunction("raise_exception", (state, arguments) => throw new ChatTemplateException(
            state.Line, PythonText.Str(state, arguments.Require(state, 0, "message")), raisedByTemplate: true)),
        new NativeFunction("strftime_now", (state, arguments) => Strftime.Format(
            state, arguments.GetString(state, 0, "format") ?? "%c", state.Clock.GetLocalNow())),
    ];

    public static Scope Create(RenderState state)
    {
        var scope = new Scope(state, parent: null);
        foreach (var function in Functions)
        {
            scope.Set(function.Name, function);
        }

        return scope;
    }

    private static object? Range(RenderState state, CallArguments arguments)
    {
        int count = arguments.Positional.Count;
        int first = arguments.GetInteger(state, 0, "start", 0);
        long start = count > 1 ? first : 0;
        long stop = count > 1 ? arguments.GetInteger(state, 1, "stop", 0) : count == 1 ? first : throw state.Error("range needs an argument.");
        long step = arguments.GetInteger(state, 2, "step", 1);
        if (step == 0)
        {
            throw state.Error("the step of a range can't be zero.");
        }

        long length = Math.Max(0, step > 0 ? (stop - start + step - 1) / step : (start - stop - step - 1) / -step);
        if (length > LongestRange)
        {
            throw state.Error($"the range has more than {LongestRange} elements.");
        }

        state.Produce(length);
        var list = new List<object?>((int)length);
        for (long i = 0; i < length; i++)
        {
            list.Add(start + i * step);
        }

        return list;
    }

    private static object? Dict(RenderState state, CallArguments arguments)
    {
        var dict = new TemplateDict();
        CopyInto(state, arguments, (key, value) => dict.Set(state, key, value));
        return dict;
    }

    private static object? MakeNamespace(RenderState state, CallArguments arguments)
    {
        var names = new Namespace();
        CopyInto(state, arguments, (key, value) => names.Set(PythonText.Str(state, key), value));
        return names;
    }

    private static void CopyInto(RenderState state, CallArguments arguments, Action<object?, object?> set)
    {
        foreach (object? source in arguments.Positional)
        {
            if (source is TemplateDict dict)
            {
                foreach (var (key, value) in dict.Entries)
                {
                    set(key, value);
                }

                continue;
            }

            foreach (object? pair in Values.Iterate(state, source))
            {
                var parts = Values.Iterate(state, pair);
                if (parts.Count != 2)
                {
                    throw state.Error("a dictionary is made of pairs.");
                }

                set(parts[0], parts[1]);
            }
        }

        foreach (var (name, value) in arguments.Named)
        {
            set(name, value);
        }
    }

    private static object? Joiner(RenderState state, CallArguments arguments)
    {
        object? separator = arguments.Get(0, "sep", ", ");
        bool used = false;
        return new NativeFunction("joiner", (_, _) =>
        {
            object? result = used ? separator : "";
            used = true;
            return result;
        });
    }
}
