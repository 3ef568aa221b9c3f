using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>
/// <c>{% for target in items if condition %}...{% else %}...{% endfor %}</c>. Every iteration has a scope of its own: what
/// it sets is gone in the next one.
/// </summary>
internal sealed class ForStatement(int line, Target target, Expression items, Expression? condition, Block body, Block? otherwise)
    : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        var state = scope.State;
        object? value = items.Evaluate(scope);
        state.Line = Line;
        var all = Values.Iterate(state, value);
        if (condition is not null)
        {
            all = Where(scope, all, condition);
        }

        if (all.Count == 0)
        {
            return otherwise?.Execute(new Scope(state, scope)) ?? Flow.Next;
        }

        var loop = new LoopContext(all);
        for (int i = 0; i < all.Count; i++)
        {
            state.Step(Line);
            loop.Index = i;
            var inner = new Scope(state, scope);
            inner.Set("loop", loop);
            target.Assign(inner, all[i]);
            if (body.Execute(inner) == Flow.Break)
            {
                break;
            }
        }

        return Flow.Next;
    }

    private List<object?> Where(Scope scope, IReadOnlyList<object?> all, Expression filter)
    {
        var kept = new List<object?>();
        foreach (object? item in all)
        {
            scope.State.Step(Line);
            var inner = new Scope(scope.State, scope);
            target.Assign(inner, item);
            if (Values.IsTrue(filter.Evaluate(inner)))
            {
                kept.Add(item);
            }
        }

        return kept;
    }
}
