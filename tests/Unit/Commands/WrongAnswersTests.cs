using LlmCluster.CommandLine.Commands;
using LlmCluster.Evaluation.Results;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class WrongAnswersTests
{
    [Fact]
    public void The_first_wrong_answers_of_each_name_are_shown()
    {
        var output = new StringWriter { NewLine = "\n" };
        WrongAnswers.Print(
            [
                Result("a", "512", right: true),
                Result("b", "512", right: false) with { Question = new string('x', 500) + "Code?" },
                Result("c", "512", right: false),
                Result("d", null, right: false) with { Text = "one\ntwo", EndedItself = false },
            ],
            limit: 1,
            output);

        Assert.Equal(
            $"""

            recall_512: b
              question  "…{new string('x', 395)}Code?"
              expected  4821
              got       "4822"

            recall: d
              question  "Code?"
              expected  4821
              got       "one\ntwo" (cut off after 3 tokens)

            """.ReplaceLineEndings("\n"),
            output.ToString());
    }

    private static ConversationResult Result(string id, string? bucket, bool right) => new()
    {
        Id = id,
        Skill = "recall",
        Bucket = bucket,
        Question = "Code?",
        Expected = "4821",
        PromptIds = [1],
        OutputIds = [1, 2, 3],
        Text = right ? "4821" : "4822",
        EndedItself = true,
        Right = right,
    };
}
