using LlmCluster.Inference.ChatTemplates.Runtime;

namespace LlmCluster.Inference.ChatTemplates.Nodes;

/// <summary><c>a and b</c>: the first one that decides.</summary>
internal sealed class And(int line, Expression left, Expression right) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? value = left.Evaluate(scope);
        return Values.IsTrue(value) ? right.Evaluate(scope) : value;
    }
}

/// <summary><c>a or b</c>: the first one that decides.</summary>
internal sealed class Or(int line, Expression left, Expression right) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? value = left.Evaluate(scope);
        return Values.IsTrue(value) ? value : right.Evaluate(scope);
    }
}

/// <summary><c>not a</c>.</summary>
internal sealed class Not(int line, Expression operand) : Expression(line)
{
    protected override object? Compute(Scope scope) => !Values.IsTrue(operand.Evaluate(scope));
}

/// <summary><c>a if condition else b</c>; undefined without an else.</summary>
internal sealed class Conditional(int line, Expression condition, Expression whenTrue, Expression? whenFalse) : Expression(line)
{
    protected override object? Compute(Scope scope) =>
        Values.IsTrue(condition.Evaluate(scope)) ? whenTrue.Evaluate(scope)
        : whenFalse is not null ? whenFalse.Evaluate(scope)
        : new Undefined("the inline if is false and has no else");
}

/// <summary><c>-a</c> or <c>+a</c>.</summary>
internal sealed class Sign(int line, bool negative, Expression operand) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? value = operand.Evaluate(scope);
        return Arithmetic.Sign(Here(scope), negative, value);
    }
}

/// <summary>An arithmetic operator between two values.</summary>
internal sealed class Binary(int line, string operation, Expression left, Expression right) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? a = left.Evaluate(scope);
        object? b = right.Evaluate(scope);
        return Arithmetic.Apply(Here(scope), operation, a, b);
    }
}

/// <summary><c>a ~ b</c>: texts one after the other.</summary>
internal sealed class Concatenation(int line, IReadOnlyList<Expression> parts) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        string[] texts = new string[parts.Count];
        int length = 0;
        for (int i = 0; i < texts.Length; i++)
        {
            object? part = parts[i].Evaluate(scope);
            texts[i] = PythonText.Str(Here(scope), part);
            length += texts[i].Length;
        }

        scope.State.Produce(length);
        return string.Concat(texts);
    }
}

/// <summary><c>a &lt; b &lt;= c</c>: true when each neighbouring pair compares so.</summary>
internal sealed class Comparison(int line, Expression first, IReadOnlyList<(string Operation, Expression Operand)> rest) : Expression(line)
{
    protected override object? Compute(Scope scope)
    {
        object? left = first.Evaluate(scope);
        foreach (var (operation, operand) in rest)
        {
            object? right = operand.Evaluate(scope);
            if (!Comparisons.Compare(Here(scope), operation, left, right))
            {
                return false;
            }

            left = right;
        }

        return true;
    }
}
