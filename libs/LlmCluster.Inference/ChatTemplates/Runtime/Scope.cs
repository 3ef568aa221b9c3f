namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Variables; those that are not here are looked for in the scope around.</summary>
internal sealed class Scope(RenderState state, Scope? parent)
{
    private Dictionary<string, object?>? _variables;

    public RenderState State => state;

    public void Set(string name, object? value) => (_variables ??= new(StringComparer.Ordinal))[name] = value;

    public bool TryGet(string name, out object? value)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._variables is { } variables && variables.TryGetValue(name, out value))
            {
                return true;
            }
        }

        value = null;
        return false;
    }

    private Scope? Parent => parent;
}
