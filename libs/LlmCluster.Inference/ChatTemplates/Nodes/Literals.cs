using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>A string, number, boolean or none.</summary>
internal sealed class Literal(int line, object? value) : Expression(line)
{
    public object? Value => value;

    protected override object? Compute(Scope scope) => value;
}

/// <summary><c>[a, b]</c>.</summary>
internal sealed class ListLiteral(int line, IReadOnlyList<Expression> items) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        scope.State.Produce(items.Count);
        var list = new List<object?>(items.Count);
        foreach (var item in items)
        {
            list.Add(item.Evaluate(scope));
        }

        return list;
    }
}

/// <summary><c>(a, b)</c>.</summary>
internal sealed class TupleLiteral(int line, IReadOnlyList<Expression> items) : Expression(line)
{
    public IReadOnlyList<Expression> Items => items;

    protected override object? Compute(Scope scope)
    {
        object?[] tuple = new object?[items.Count];
        for (int i = 0; i < tuple.Length; i++)
        {
            tuple[i] = items[i].Evaluate(scope);
        }

        return tuple;
    }
}

/// <summary><c>{a: b}</c>.</summary>
internal sealed class DictLiteral(int line, IReadOnlyList<(Expression Key, Expression Value)> items) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        scope.State.Produce(items.Count);
        var dict = new TemplateDict();
        foreach (var (key, value) in items)
        {
            dict.Set(Here(scope), key.Evaluate(scope), value.Evaluate(scope));
        }

        return dict;
    }
}

/// <summary>A variable.</summary>
internal sealed class Name(int line, string name) : Expression(line)
{
    public string Identifier => name;

    protected override object? Compute(Scope scope) =>
        scope.TryGet(name, out object? value) ? value : new Undefined($"'{name}' is undefined");
}
