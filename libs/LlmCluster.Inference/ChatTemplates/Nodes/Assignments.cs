using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>What a value is assigned to.</summary>
internal abstract class Target(int line)
{
    protected int Line => line;

    public abstract void Assign(Scope scope, object? value);
}

/// <summary>A variable.</summary>
internal sealed class NameTarget(int line, string name) : Target(line)
{
    public override void Assign(Scope scope, object? value) => scope.Set(name, value);
}

/// <summary>An attribute of a namespace.</summary>
internal sealed class NamespaceTarget(int line, string name, string attribute) : Target(line)
{
    public override void Assign(Scope scope, object? value)
    {
        if (!scope.TryGet(name, out object? target) || target is not Namespace names)
        {
            scope.State.Line = Line;
            throw scope.State.Error($"\"{name}\" is no namespace, so its attribute \"{attribute}\" can't be set.");
        }

        names.Set(attribute, value);
    }
}

/// <summary>Several targets that take a sequence apart.</summary>
internal sealed class TupleTarget(int line, IReadOnlyList<Target> targets) : Target(line)
{
    public override void Assign(Scope scope, object? value)
    {
        var items = Values.Iterate(scope.State, value);
        if (items.Count != targets.Count)
        {
            scope.State.Line = Line;
            throw scope.State.Error($"{items.Count} values can't be assigned to {targets.Count} names.");
        }

        for (int i = 0; i < items.Count; i++)
        {
            targets[i].Assign(scope, items[i]);
        }
    }
}

/// <summary><c>{% set target = value %}</c>.</summary>
internal sealed class SetStatement(int line, Target target, Expression value) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        target.Assign(scope, value.Evaluate(scope));
        return Flow.Next;
    }
}

/// <summary><c>{% set target %}...{% endset %}</c>, with filters or without.</summary>
internal sealed class SetBlockStatement(int line, Target target, FilterCall? filter, Block body) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        object? value = scope.State.Capture(body, new Scope(scope.State, scope));
        target.Assign(scope, filter is null ? value : filter.ApplyChain(scope, value));
        return Flow.Next;
    }
}

/// <summary><c>{% with a = b %}...{% endwith %}</c>, and blocks that change nothing (<c>generation</c>).</summary>
internal sealed class WithStatement(int line, IReadOnlyList<(Target Target, Expression Value)> assignments, Block body) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        var inner = new Scope(scope.State, scope);
        foreach (var (target, value) in assignments)
        {
            target.Assign(inner, value.Evaluate(scope));
        }

        return body.Execute(inner);
    }
}

/// <summary><c>{% filter name %}...{% endfilter %}</c>.</summary>
internal sealed class FilterStatement(int line, FilterCall filter, Block body) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        object? value = scope.State.Capture(body, new Scope(scope.State, scope));
        scope.State.Write(PythonText.Str(scope.State, filter.ApplyChain(scope, value)));
        return Flow.Next;
    }
}
