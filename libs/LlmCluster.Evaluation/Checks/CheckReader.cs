using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary>Reads the check of a held-out conversation: an object whose <c>kind</c> says which one it is.</summary>
internal static class CheckReader
{
    private static readonly Dictionary<string, Func<RequestField, ICheck>> Kinds = new(StringComparer.Ordinal)
    {
        ["exact"] = ExactCheck.Read,
        ["contains"] = ContainsCheck.Read,
        ["finished"] = FinishedCheck.Read,
        ["json"] = JsonCheck.Read,
        ["tool"] = ToolCheck.Read,
    };

    /// <exception cref="ApiException">The kind is unknown, or a field of it is missing or wrong.</exception>
    public static ICheck Read(RequestField field)
    {
        RequestField kind = field.Object()["kind"];
        return Kinds.TryGetValue(kind.String(), out Func<RequestField, ICheck>? read)
            ? read(field)
            : throw kind.Error($"'{kind.String()}' is not a kind of check. Expected one of {string.Join(", ", Kinds.Keys.Select(name => $"'{name}'"))}.");
    }
}
