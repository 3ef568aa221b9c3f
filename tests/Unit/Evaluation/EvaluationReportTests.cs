using System.Text.Json;
using LlmCluster.Evaluation.Results;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Evaluation;

public sealed class EvaluationReportTests
{
    [Fact]
    public void Scores_count_by_skill_and_bucket_and_stand_in_their_order()
    {
        IReadOnlyList<SkillScore> scores = SkillScore.Of(
        [
            Result("recall", "1024", right: true, promptTokens: 1000),
            Result("recall", "512", right: false, promptTokens: 510),
            Result("json", null, right: false, promptTokens: 20, parses: true),
            Result("json", null, right: true, promptTokens: 30, parses: true),
            Result("json", null, right: false, promptTokens: 90, parses: false),
            Result("recall", "512", right: true, promptTokens: 501),
            Result("chat", null, right: true, promptTokens: 7),
        ]);

        Assert.Equal(
            [
                new SkillScore("chat", 1, 1, 7),
                new SkillScore("json", 1, 3, 30),
                new SkillScore("json_parses", 2, 3, 30),
                new SkillScore("recall_512", 1, 2, 505.5),
                new SkillScore("recall_1024", 1, 1, 1000),
            ],
            scores);
        Assert.Equal(0.5, scores[3].Accuracy);
    }

    [Fact]
    public void As_json_a_report_holds_the_scores()
    {
        var report = new EvaluationReport(
        [
            Result("recall", "512", right: true, promptTokens: 510),
            Result("recall", "512", right: true, promptTokens: 511),
            Result("recall", "512", right: false, promptTokens: 512),
            Result("json", null, right: true, promptTokens: 9, parses: true),
        ])
        {
            Model = "demo",
            Fingerprint = "0123",
            Dtype = "bf16",
            Elapsed = TimeSpan.FromSeconds(3),
        };

        const string Expected =
            """
            {"model":"demo","fingerprint":"0123","dtype":"bf16",
             "skills":{"json":1,"json_parses":1,"recall_512":0.6667},
             "counts":{"json":1,"json_parses":1,"recall_512":3},
             "median_prompt_tokens":{"json":9,"json_parses":9,"recall_512":511}}
            """;
        Assert.Equal(Expected.ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal), JsonSerializer.Serialize(report));
    }

    [Fact]
    public async Task Predictions_are_one_object_a_line()
    {
        using var folder = new TempDirectory("predictions");
        string file = folder.Combine("new", "predictions.jsonl");
        ConversationResult[] results =
        [
            Result("chat", null, right: true, promptTokens: 2) with { Id = "a", OutputIds = [5, 2], Text = "\u00fcber\n\"x\"" },
            Result("chat", null, right: false, promptTokens: 1) with { Id = "b", OutputIds = [], Text = "" },
        ];

        await PredictionFile.WriteAsync(file, results, TestContext.Current.CancellationToken);

        Assert.Equal(
            """
            {"id":"a","prompt_ids":[0,1],"output_ids":[5,2],"text":"über\n\"x\"","right":true}
            {"id":"b","prompt_ids":[0],"output_ids":[],"text":"","right":false}

            """.ReplaceLineEndings("\n"),
            await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken));
    }

    private static ConversationResult Result(string skill, string? bucket, bool right, int promptTokens, bool? parses = null) => new()
    {
        Id = $"{skill}-{bucket}-{promptTokens}",
        Skill = skill,
        Bucket = bucket,
        Question = "?",
        Expected = "!",
        PromptIds = [.. Enumerable.Range(0, promptTokens)],
        OutputIds = [1],
        Text = "!",
        EndedItself = true,
        Right = right,
        Parses = parses,
    };
}
