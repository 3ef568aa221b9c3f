using System.Numerics;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Equality, order and membership, as in Python.</summary>
internal static class Comparisons
{
    public static bool Compare(RenderState state, string operation, object? left, object? right) => operation switch
    {
        "==" => AreEqual(state, left, right),
        "!=" => !AreEqual(state, left, right),
        "<" => Order(state, left, right, operation) < 0,
        "<=" => Order(state, left, right, operation) is < 0 or 0,
        ">" => Order(state, left, right, operation) is > 0 and not Unordered,
        ">=" => Order(state, left, right, operation) is >= 0 and not Unordered,
        "in" => Contains(state, right, left),
        _ => !Contains(state, right, left),
    };

    /// <summary>What comparing with a NaN gives.</summary>
    private const int Unordered = int.MaxValue;

    public static bool AreEqual(RenderState state, object? left, object? right)
    {
        if (ReferenceEquals(left, right))
        {
            return true;
        }

        switch (left, right)
        {
            case (null, _) or (_, null):
                return false;
            case (string a, string b):
                state.Scan(a.Length == b.Length ? a.Length : 0);
                return a == b;
            case (Undefined, Undefined):
                return true;
            case (List<object?> a, List<object?> b):
                return AllEqual(state, a, b);
            case (object?[] a, object?[] b):
                return AllEqual(state, a, b);
            case (TemplateDict a, TemplateDict b):
                state.RequireStack();
                return a.Count == b.Count
                    && a.Entries.All(entry => b.TryGet(entry.Key, out object? other) && AreEqual(state, entry.Value, other));
            default:
                return Arithmetic.IsNumber(left) && Arithmetic.IsNumber(right) && Arithmetic.Compare(left, right) == 0;
        }
    }

    /// <summary>Less than 0, 0, or more than 0; an error for values that have no order.</summary>
    public static int Order(RenderState state, object? left, object? right, string operation = "<")
    {
        if (left is string a && right is string b)
        {
            return string.CompareOrdinal(a, b);
        }

        if (Arithmetic.IsNumber(left) && Arithmetic.IsNumber(right))
        {
            return Arithmetic.Compare(left, right) ?? Unordered;
        }

        if ((left is List<object?> && right is List<object?>) || (left is object?[] && right is object?[]))
        {
            return OrderSequences(state, Values.Iterate(state, left), Values.Iterate(state, right), operation);
        }

        Undefined? undefined = left as Undefined ?? right as Undefined;
        throw state.Error(undefined is not null
            ? $"{undefined.Reason}, so \"{operation}\" can't compare it."
            : $"\"{operation}\" can't compare values of types {Values.TypeName(left)} and {Values.TypeName(right)}.");
    }

    public static bool Contains(RenderState state, object? container, object? item)
    {
        switch (container)
        {
            case string text:
                state.Scan(text.Length);
                return item is string part
                    ? text.Contains(part, StringComparison.Ordinal)
                    : throw state.Error($"\"in\" needs a string to look for in a string, not {Values.TypeName(item)}.");
            case TemplateDict dict:
                return dict.TryGet(item, out _);
            case List<object?> or object?[] or Undefined:
                var items = Values.Iterate(state, container);
                state.Produce(items.Count);
                return items.Any(element => AreEqual(state, element, item));
            default:
                throw state.Error($"\"in\" can't look into a value of type {Values.TypeName(container)}.");
        }
    }

    private static bool AllEqual(RenderState state, IReadOnlyList<object?> left, IReadOnlyList<object?> right)
    {
        state.RequireStack();
        state.Produce(left.Count);
        return left.Count == right.Count && Enumerable.Range(0, left.Count).All(i => AreEqual(state, left[i], right[i]));
    }

    private static int OrderSequences(RenderState state, IReadOnlyList<object?> left, IReadOnlyList<object?> right, string operation)
    {
        state.RequireStack();
        for (int i = 0; i < Math.Min(left.Count, right.Count); i++)
        {
            if (!AreEqual(state, left[i], right[i]))
            {
                return Order(state, left[i], right[i], operation);
            }
        }

        return left.Count.CompareTo(right.Count);
    }
}
