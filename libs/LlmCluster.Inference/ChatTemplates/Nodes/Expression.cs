using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>A part of a template that has a value. Immutable.</summary>
internal abstract class Expression(int line)
{
    public int Line => line;

    public object? Evaluate(Scope scope)
    {
        scope.State.Step(line);
        scope.State.RequireStack();
        return Compute(scope);
    }

    protected abstract object? Compute(Scope scope);

    /// <summary>The state with its line set back to this expression's, after parts of it were evaluated.</summary>
    protected RenderState Here(Scope scope)
    {
        scope.State.Line = line;
        return scope.State;
    }
}
