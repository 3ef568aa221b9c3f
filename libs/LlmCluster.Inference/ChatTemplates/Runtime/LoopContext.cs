namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>The variable <c>loop</c> inside a loop.</summary>
internal sealed class LoopContext(IReadOnlyList<object?> items)
{
    private object?[]? _lastChanged;

    public int Index { get; set; }

    /// <summary>An attribute, or an <see cref="Undefined"/>.</summary>
    public object? Attribute(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "revindex" => (long)(items.Count - Index),
        "revindex0" => items.Count - Index - 1L,
        "first" => Index == 0,
        "last" => Index == items.Count - 1,
        "length" => (long)items.Count,

        // Only recursive loops, which there are none of, are deeper than one.
        "depth" => 1L,
        "depth0" => 0L,
        "previtem" => Index > 0 ? items[Index - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index + 1 < items.Count ? items[Index + 1] : new Undefined("there is no next item"),
        "cycle" => new NativeFunction("cycle", Cycle),
        "changed" => new NativeFunction("changed", Changed),
        _ => new Undefined($"loop has no attribute '{name}'"),
    };

    private object? Cycle(RenderState state, CallArguments arguments) =>
        arguments.Positional.Count > 0
            ? arguments.Positional[Index % arguments.Positional.Count]
            : throw state.Error("loop.cycle needs something to choose from.");

    private object? Changed(RenderState state, CallArguments arguments)
    {
        object?[] now = [.. arguments.Positional];
        if (_lastChanged is not null && Comparisons.AreEqual(state, _lastChanged, now))
        {
            return false;
        }

        _lastChanged = now;
        return true;
    }
}
