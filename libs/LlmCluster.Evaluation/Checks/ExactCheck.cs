using LlmCluster.Api.Requests;

namespace LlmCluster.Evaluation.Checks;

/// <summary>
/// <c>{"kind": "exact", "answer": TEXT}</c>, or <c>"answers": [TEXT, ...]</c> where several are right: the answer is one of
/// them, white space around it aside.
/// </summary>
internal sealed class ExactCheck(IReadOnlyList<string> answers) : ICheck
{
    public string Expected => string.Join(" or ", answers);

    public static ExactCheck Read(RequestField check)
    {
        RequestField several = check["answers"];
        if (!several.IsPresent)
        {
            return new ExactCheck([check["answer"].String()]);
        }

        string[] answers = Array.ConvertAll(several.Array(), item => item.String());
        return answers.Length > 0 ? new ExactCheck(answers) : throw several.Error("at least one answer is expected, but the array is empty.");
    }

    public Verdict Judge(Answer answer)
    {
        ReadOnlySpan<char> text = answer.Text.AsSpan().Trim();
        foreach (string right in answers)
        {
            if (text.SequenceEqual(right.AsSpan().Trim()))
            {
                return new Verdict(true);
            }
        }

        return new Verdict(false);
    }
}
