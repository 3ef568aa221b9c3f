using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>What a macro or a call block is made of.</summary>
internal sealed record MacroDefinition(
    int Line, string Name, IReadOnlyList<(string Name, Expression? Default)> Parameters, Block Body);

/// <summary><c>{% macro name(parameters) %}...{% endmacro %}</c>.</summary>
internal sealed class MacroStatement(MacroDefinition definition) : Statement(definition.Line)
{
    public override Flow Execute(Scope scope)
    {
        scope.Set(definition.Name, new Macro(definition, scope));
        return Flow.Next;
    }
}

/// <summary><c>{% call(parameters) f(...) %}...{% endcall %}</c>: calls with the body as <c>caller</c>.</summary>
internal sealed class CallStatement(int line, Call call, MacroDefinition caller) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        object? result = call.Invoke(scope, new Macro(caller, scope));
        scope.State.Write(PythonText.Str(scope.State, result));
        return Flow.Next;
    }
}

/// <summary>A macro with the scope that it was defined in.</summary>
internal sealed class Macro(MacroDefinition definition, Scope closure) : TemplateFunction(definition.Name)
{
    public override object? Invoke(RenderState state, CallArguments arguments)
    {
        int line = state.Line;
        state.RequireStack();
        var scope = new Scope(state, closure);
        var parameters = definition.Parameters;
        for (int i = 0; i < parameters.Count; i++)
        {
            var (name, fallback) = parameters[i];
            object? value = arguments.TryGet(i, name, out object? given) ? given
                : fallback is not null ? fallback.Evaluate(scope)
                : new Undefined($"parameter '{name}' was not provided");
            scope.Set(name, value);
        }

        scope.Set("varargs", arguments.Positional.Skip(parameters.Count).ToArray());
        var rest = new TemplateDict();
        foreach (var (name, value) in arguments.Named)
        {
            if (name == "caller")
            {
                scope.Set(name, value);
            }
            else if (!parameters.Any(parameter => parameter.Name == name))
            {
                rest.Set(state, name, value);
            }
        }

        scope.Set("kwargs", rest);
        string text = state.Capture(definition.Body, scope);
        state.Line = line;
        return text;
    }
}
