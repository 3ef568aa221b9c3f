using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>The arguments of a call, not yet evaluated.</summary>
internal sealed class ArgumentList(
    IReadOnlyList<(Expression Value, bool Spread)> positional, IReadOnlyList<(string? Name, Expression Value)> named)
{
    public static ArgumentList Empty { get; } = new([], []);

    public CallArguments Evaluate(Scope scope)
    {
        if (positional.Count + named.Count == 0)
        {
            return CallArguments.Empty;
        }

        var values = new List<object?>(positional.Count);
        foreach (var (value, spread) in positional)
        {
            object? evaluated = value.Evaluate(scope);
            if (spread)
            {
                values.AddRange(Values.Iterate(scope.State, evaluated));
            }
            else
            {
                values.Add(evaluated);
            }
        }

        var byName = new List<KeyValuePair<string, object?>>(named.Count);
        foreach (var (name, value) in named)
        {
            object? evaluated = value.Evaluate(scope);
            if (name is not null)
            {
                byName.Add(new(name, evaluated));
            }
            else if (evaluated is TemplateDict dict)
            {
                byName.AddRange(dict.Entries.Select(e => new KeyValuePair<string, object?>(PythonText.Str(scope.State, e.Key), e.Value)));
            }
            else
            {
                throw scope.State.Error($"the argument after ** must be a mapping, not {Values.TypeName(evaluated)}.");
            }
        }

        return new CallArguments(values, byName);
    }
}

/// <summary><c>f(arguments)</c>.</summary>
internal sealed class Call(int line, Expression function, ArgumentList arguments) : Expression(line)
{
    protected override object? Compute(Scope scope) => Invoke(scope, caller: null);

    /// <summary>Calls, with what a call block has for a caller.</summary>
    public object? Invoke(Scope scope, TemplateFunction? caller)
    {
        object? target = function.Evaluate(scope);
        var values = arguments.Evaluate(scope);
        var state = Here(scope);
        if (target is not TemplateFunction callee)
        {
            throw state.Error(target is Undefined undefined
                ? $"{undefined.Reason}, so it can't be called."
                : $"a value of type {Values.TypeName(target)} can't be called.");
        }

        return callee.Invoke(state, caller is null ? values : values.With("caller", caller));
    }
}

/// <summary><c>a | name(arguments)</c>.</summary>
internal sealed class FilterCall(int line, Expression? target, string name, ArgumentList arguments) : Expression(line)
{
    private readonly Filter? _filter = Filters.Find(name);

    /// <summary>Applies the filter to a value that is not written before it: that of a block.</summary>
    public object? Apply(Scope scope, object? value)
    {
        var values = arguments.Evaluate(scope);
        var state = Here(scope);
        return _filter is not null ? _filter(state, value, values) : throw state.Error($"unknown filter \"{name}\".");
    }

    /// <summary>Applies to the value of a block, through the filters before this one.</summary>
    public object? ApplyChain(Scope scope, object? value)
    {
        scope.State.RequireStack();
        return Apply(scope, target is FilterCall before ? before.ApplyChain(scope, value) : value);
    }

    protected override object? Compute(Scope scope) => Apply(scope, target?.Evaluate(scope));
}

/// <summary><c>a is name(arguments)</c> or <c>a is not name</c>.</summary>
internal sealed class TestCall(int line, Expression target, string name, ArgumentList arguments, bool negated) : Expression(line)
{
    private readonly Test? _test = Tests.Find(name);

    protected override object? Compute(Scope scope)
    {
        object? value = target.Evaluate(scope);
        var values = arguments.Evaluate(scope);
        var state = Here(scope);
        return _test is not null ? _test(state, value, values) != negated : throw state.Error($"unknown test \"{name}\".");
    }
}
