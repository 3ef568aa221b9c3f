namespace LlmCluster.Inference.ChatTemplates.Runtime;

// Values of templates are: null (None), bool, long, BigInteger, double, string, List<object?> (list), object?[] (tuple),
// TemplateDict, Undefined, TemplateFunction, Namespace and LoopContext.

/// <summary>What a name or an item that is not there gives: empty in output, false in conditions, an error in most else.</summary>
internal sealed class Undefined(string reason)
{
    /// <summary>Why there is nothing.</summary>
    public string Reason => reason;
}

/// <summary>A dictionary that keeps the order of its keys.</summary>
internal sealed class TemplateDict
{
    private readonly OrderedDictionary<object, object?> _entries = [];

    public int Count => _entries.Count;

    public IEnumerable<KeyValuePair<object, object?>> Entries => _entries;

    public IEnumerable<object> Keys => _entries.Keys;

    public bool TryGet(object? key, out object? value)
    {
        if (Normalize(key) is { } normalized)
        {
            return _entries.TryGetValue(normalized, out value);
        }

        value = null;
        return false;
    }

    public void Set(string key, object? value) => _entries[key] = value;

    public void Set(RenderState state, object? key, object? value) =>
        _entries[Normalize(key) ?? throw state.Error($"a value of type {Values.TypeName(key)} can't be a key.")] = value;

    /// <summary>Numbers that are equal are one key, as in Python.</summary>
    private static object? Normalize(object? key) => key switch
    {
        string or long => key,
        bool flag => flag ? 1L : 0L,
        double number => number == Math.Floor(number) && Math.Abs(number) < 1L << 53 ? (long)number : number,
        _ => null,
    };
}

/// <summary>What <c>namespace()</c> makes: a holder of values that survives the scopes that set them.</summary>
internal sealed class Namespace
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    public void Set(string name, object? value) => _values[name] = value;

    public bool TryGet(string name, out object? value) => _values.TryGetValue(name, out value);
}

/// <summary>The arguments of a call.</summary>
internal sealed class CallArguments(IReadOnlyList<object?> positional, IReadOnlyList<KeyValuePair<string, object?>> named)
{
    public static CallArguments Empty { get; } = new([], []);

    public IReadOnlyList<object?> Positional => positional;

    public IReadOnlyList<KeyValuePair<string, object?>> Named => named;

    public static CallArguments Of(params object?[] positional) => new(positional, []);

    public bool TryGet(int index, string name, out object? value)
    {
        if (index < positional.Count)
        {
            value = positional[index];
            return true;
        }

        foreach (var argument in named)
        {
            if (argument.Key == name)
            {
                value = argument.Value;
                return true;
            }
        }

        value = null;
        return false;
    }

    /// <summary>An argument, or a fallback when it is not given.</summary>
    public object? Get(int index, string name, object? fallback = null) => TryGet(index, name, out object? value) ? value : fallback;

    /// <summary>An argument that must be given.</summary>
    public object? Require(RenderState state, int index, string name) =>
        TryGet(index, name, out object? value) ? value : throw state.Error($"the argument \"{name}\" is missing.");

    public bool GetBoolean(int index, string name, bool fallback) =>
        TryGet(index, name, out object? value) ? Values.IsTrue(value) : fallback;

    public int GetInteger(RenderState state, int index, string name, int fallback) =>
        TryGet(index, name, out object? value) && value is not null ? Values.ToInt32(state, value, name) : fallback;

    public string? GetString(RenderState state, int index, string name) => Get(index, name) switch
    {
        null => null,
        string text => text,
        var other => throw state.Error($"the argument \"{name}\" must be a string, not {Values.TypeName(other)}."),
    };

    /// <summary>The arguments after the first ones.</summary>
    public CallArguments Skip(int count) => new([.. positional.Skip(count)], named);

    public CallArguments With(string name, object? value) => new(positional, [.. named, new(name, value)]);
}

/// <summary>Something that can be called.</summary>
internal abstract class TemplateFunction(string name)
{
    public string Name => name;

    public abstract object? Invoke(RenderState state, CallArguments arguments);
}

/// <summary>A function that is written here.</summary>
internal sealed class NativeFunction(string name, Func<RenderState, CallArguments, object?> body) : TemplateFunction(name)
{
    public override object? Invoke(RenderState state, CallArguments arguments) => body(state, arguments);
}
