using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary>Where execution goes on.</summary>
internal enum Flow
{
    /// <summary>With the next statement.</summary>
    Next,

    /// <summary>After the loop.</summary>
    Break,

    /// <summary>With the next iteration of the loop.</summary>
    Continue,
}

/// <summary>A part of a template that does something: writes, assigns, decides. Immutable.</summary>
internal abstract class Statement(int line)
{
    public int Line => line;

    public abstract Flow Execute(Scope scope);
}

/// <summary>Statements in a row.</summary>
internal sealed class Block(int line, IReadOnlyList<Statement> statements) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        foreach (var statement in statements)
        {
            scope.State.Step(statement.Line);
            var flow = statement.Execute(scope);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }
}

/// <summary>Text between tags.</summary>
internal sealed class TextStatement(int line, string text) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        scope.State.Write(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ value }}</c>.</summary>
internal sealed class OutputStatement(int line, Expression value) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        object? evaluated = value.Evaluate(scope);
        scope.State.Write(PythonText.Str(scope.State, evaluated));
        return Flow.Next;
    }
}

/// <summary><c>{% break %}</c> or <c>{% continue %}</c>.</summary>
internal sealed class JumpStatement(int line, Flow flow) : Statement(line)
{
    public override Flow Execute(Scope scope) => flow;
}

/// <summary><c>{% if %}</c> with its branches.</summary>
internal sealed class IfStatement(int line, IReadOnlyList<(Expression Condition, Block Body)> branches, Block? otherwise) : Statement(line)
{
    public override Flow Execute(Scope scope)
    {
        foreach (var (condition, body) in branches)
        {
            if (Values.IsTrue(condition.Evaluate(scope)))
            {
                return body.Execute(scope);
            }
        }

        return otherwise?.Execute(scope) ?? Flow.Next;
    }
}
