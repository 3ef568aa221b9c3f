using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary>Texts that all have to occur in an answer, in any case of letters and in any order.</summary>
internal sealed class RequiredWords(IReadOnlyList<string> words)
{
    public int Count => words.Count;

    public static RequiredWords Read(RequestField field) => new(Array.ConvertAll(field.Array(), item =>
        item.String() is { Length: > 0 } word ? word : throw item.Error("an empty text occurs everywhere; name a word.")));

    public bool AllIn(string text) => words.All(word => text.Contains(word, StringComparison.OrdinalIgnoreCase));

    public override string ToString() => string.Join(", ", words);
}
