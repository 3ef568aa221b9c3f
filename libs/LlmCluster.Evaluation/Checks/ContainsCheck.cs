using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary><c>{"kind": "contains", "words": [TEXT, ...]}</c>: every text occurs, and the model ended the answer itself.</summary>
internal sealed class ContainsCheck(RequiredWords words) : ICheck
{
    public string Expected => $"an answer that ends, with: {words}";

    public static ContainsCheck Read(RequestField check)
    {
        RequiredWords words = RequiredWords.Read(check["words"]);
        return words.Count > 0
            ? new ContainsCheck(words)
            : throw check["words"].Error("at least one word is expected, but the array is empty.");
    }

    public Verdict Judge(Answer answer) => new(answer.EndedItself && words.AllIn(answer.Text));
}
