using System.Numerics;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>What holds for values of every type.</summary>
internal static class Values
{
    public static string TypeName(object? value) => value switch
    {
        null => "None",
        bool => "bool",
        long or BigInteger => "int",
        double => "float",
        string => "str",
        List<object?> => "list",
        object?[] => "tuple",
        TemplateDict => "dict",
        Undefined => "undefined",
        Namespace => "namespace",
        LoopContext => "loop",
        _ => "function",
    };

    /// <summary>Python's truth: empty things, zeros, None and what is undefined are false.</summary>
    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        BigInteger number => !number.IsZero,
        double number => number != 0,
        string text => text.Length > 0,
        List<object?> list => list.Count > 0,
        object?[] tuple => tuple.Length > 0,
        TemplateDict dict => dict.Count > 0,
        _ => true,
    };

    /// <summary>The elements of a value: those of a sequence, the keys of a dictionary, the characters of a string.</summary>
    public static IReadOnlyList<object?> Iterate(RenderState state, object? value)
    {
        switch (value)
        {
            case List<object?> list:
                return list;
            case object?[] tuple:
                return tuple;
            case TemplateDict dict:
                state.Produce(dict.Count);
                return [.. dict.Keys];
            case string text:
                state.Produce(text.Length);
                return CodePoints.Split(text);
            case Undefined:
                return [];
            default:
                throw state.Error($"a value of type {TypeName(value)} can't be iterated over.");
        }
    }

    /// <summary>The number of elements; code points in a string.</summary>
    public static long Length(RenderState state, object? value) => value switch
    {
        string text => CodePointCount(state, text),
        List<object?> list => list.Count,
        object?[] tuple => tuple.Length,
        TemplateDict dict => dict.Count,
        Undefined => 0,
        _ => throw state.Error($"a value of type {TypeName(value)} has no length."),
    };

    private static long CodePointCount(RenderState state, string text)
    {
        state.Scan(text.Length);
        return CodePoints.Count(text);
    }

    public static int ToInt32(RenderState state, object? value, string what) => value switch
    {
        bool flag => flag ? 1 : 0,
        long number => (int)Math.Clamp(number, int.MinValue, int.MaxValue),
        _ => throw state.Error($"\"{what}\" must be an integer, not {TypeName(value)}."),
    };

    /// <summary>A list of its own with the same elements.</summary>
    public static List<object?> ToList(RenderState state, object? value)
    {
        var items = Iterate(state, value);
        state.Produce(items.Count);
        return [.. items];
    }
}
