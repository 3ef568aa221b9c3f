using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary>
/// <c>{"kind": "finished", "words": [TEXT, ...], "min_words": N}</c>, for stories: every text occurs, the answer has at least
/// N words between white space, and the model ended it itself. The texts may be left out.
/// </summary>
internal sealed class FinishedCheck(RequiredWords words, int minimumWords) : ICheck
{
    public string Expected =>
        $"an answer that ends, of {minimumWords} words or more{(words.Count > 0 ? $", with: {words}" : "")}";

    public static FinishedCheck Read(RequestField check) => new(
        check["words"].IsPresent ? RequiredWords.Read(check["words"]) : new RequiredWords([]),
        check["min_words"].Int32(1, int.MaxValue));

    public Verdict Judge(Answer answer) =>
        new(answer.EndedItself && words.AllIn(answer.Text) && CountWords(answer.Text) >= minimumWords);

    private static int CountWords(string text) =>
        text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
}
