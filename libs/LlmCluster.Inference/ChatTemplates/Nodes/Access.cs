using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary><c>a.name</c>: an attribute or method, or else an item.</summary>
internal sealed class AttributeAccess(int line, Expression target, string name) : Expression(line)
{
    public Expression Target => target;

    public string Attribute => name;

    protected override object? Compute(Scope scope)
    {
        object? value = target.Evaluate(scope);
        return Lookup.Attribute(Here(scope), value, name);
    }
}

/// <summary><c>a[index]</c>: an item, or else an attribute or method.</summary>
internal sealed class ItemAccess(int line, Expression target, Expression index) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? value = target.Evaluate(scope);
        object? key = index.Evaluate(scope);
        return Lookup.Item(Here(scope), value, key);
    }
}

/// <summary><c>a[start:stop:step]</c>.</summary>
internal sealed class SliceAccess(int line, Expression target, Expression? start, Expression? stop, Expression? step) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? value = target.Evaluate(scope);
        object? from = start?.Evaluate(scope);
        object? to = stop?.Evaluate(scope);
        object? by = step?.Evaluate(scope);
        return Lookup.Slice(Here(scope), value, from, to, by);
    }
}
