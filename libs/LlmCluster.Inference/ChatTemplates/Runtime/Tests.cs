using System.Numerics;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

internal delegate bool Test(RenderState state, object? value, CallArguments arguments);

/// <summary>What can stand after <c>is</c>.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Test> All = new(StringComparer.Ordinal)
    {
        ["defined"] = (_, value, _) => value is not Undefined,
        ["undefined"] = (_, value, _) => value is Undefined,
        ["none"] = (_, value, _) => value is null,
        ["boolean"] = (_, value, _) => value is bool,
        ["true"] = (_, value, _) => value is true,
        ["false"] = (_, value, _) => value is false,
        ["integer"] = (_, value, _) => value is long or BigInteger,
        ["float"] = (_, value, _) => value is double,
        ["number"] = (_, value, _) => Arithmetic.IsNumber(value),
        ["string"] = (_, value, _) => value is string,
        ["mapping"] = (_, value, _) => value is TemplateDict,
        ["sequence"] = (_, value, _) => value is string or List<object?> or object?[] or TemplateDict or Undefined,
        ["iterable"] = (_, value, _) => value is string or List<object?> or object?[] or TemplateDict or Undefined,
        ["callable"] = (_, value, _) => value is TemplateFunction,
        ["even"] = (state, value, _) => Remainder(state, value, 2L).Equals(0L),
        ["odd"] = (state, value, _) => !Remainder(state, value, 2L).Equals(0L),
        ["divisibleby"] = (state, value, a) => Remainder(state, value, a.Require(state, 0, "num")).Equals(0L),
        ["lower"] = (state, value, _) => PythonText.Str(state, value) is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
        ["upper"] = (state, value, _) => PythonText.Str(state, value) is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
        ["in"] = (state, value, a) => Comparisons.Contains(state, a.Require(state, 0, "seq"), value),
        ["sameas"] = (state, value, a) => IsSame(a.Require(state, 0, "other"), value),
        ["filter"] = (_, value, _) => value is string name && Filters.Find(name) is not null,
        ["test"] = (_, value, _) => value is string name && Find(name) is not null,
        ["escaped"] = (_, _, _) => false,
        ["eq"] = Compare("=="),
        ["equalto"] = Compare("=="),
        ["=="] = Compare("=="),
        ["ne"] = Compare("!="),
        ["!="] = Compare("!="),
        ["lt"] = Compare("<"),
        ["lessthan"] = Compare("<"),
        ["<"] = Compare("<"),
        ["le"] = Compare("<="),
        ["<="] = Compare("<="),
        ["gt"] = Compare(">"),
        ["greaterthan"] = Compare(">"),
        [">"] = Compare(">"),
        ["ge"] = Compare(">="),
        [">="] = Compare(">="),
    };

    public static Test? Find(string name) => All.GetValueOrDefault(name);

    private static Test Compare(string operation) =>
        (state, value, arguments) => Comparisons.Compare(state, operation, value, arguments.Require(state, 0, "other"));

    private static object Remainder(RenderState state, object? value, object? divisor) =>
        Arithmetic.Apply(state, "%", value, divisor) is double remainder && remainder == 0 ? 0L : Arithmetic.Apply(state, "%", value, divisor)!;

    private static bool IsSame(object? left, object? right) =>
        ReferenceEquals(left, right) || (left is bool a && right is bool b && a == b) || (left is long x && right is long y && x == y);
}
