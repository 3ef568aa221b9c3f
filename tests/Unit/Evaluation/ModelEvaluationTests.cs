using System.Text.Json;
using LlmCluster.Evaluation;
using LlmCluster.Evaluation.Results;
using LlmCluster.Inference.ChatTemplates;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Unit.Evaluation.HeldOutLines;

namespace LlmCluster.Tests.Unit.Evaluation;

/// <summary>Evaluates a model with random weights: what it says is noise, but the same noise whenever it is asked.</summary>
public sealed class ModelEvaluationTests : IDisposable
{
    private const int Context = 200;

    private readonly TempDirectory _folder = new("evaluation");
    private readonly string _model;

    public ModelEvaluationTests()
    {
        _model = _folder.Combine("noise");
        RandomCheckpoint.Write(ModelPreset.Tiny.Config(ModelArchitecture.Llama) with { MaxPositions = Context }, 5, _model);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Right_answers_are_counted_whatever_runs_beside_them()
    {
        string[] messages =
        [
            .. Enumerable.Range(0, 24).Select(i => $"{new string('n', i % 3 * 40)} What is the code of box {i}?"),
        ];
        EvaluationReport learned = await EvaluateAsync(
            parallel: 1, [.. messages.Select((message, i) => Line($"q{i}", message: message, maxTokens: 1 + i))]);
        Assert.Equal(24, learned.Results.Count);
        Assert.Equal(0, learned.Skills["recall"]);

        // A third is right, a third wrong and a third, if it is noise, no JSON.
        string[] lines = [.. messages.Select((message, i) => Line(
            $"q{i}",
            check: (i % 3) switch
            {
                0 => $$"""{"kind": "exact", "answer": {{JsonSerializer.Serialize(learned.Results[i].Text)}}}""",
                1 => """{"kind": "exact", "answer": "never said"}""",
                _ => """{"kind": "json", "answer": {}}""",
            },
            skill: i % 3 == 2 ? "json" : "recall",
            bucket: i % 3 == 2 ? null : $"{i % 2}",
            message: message,
            maxTokens: 1 + i))];
        EvaluationReport alone = await EvaluateAsync(parallel: 1, lines);
        EvaluationReport together = await EvaluateAsync(parallel: 24, lines);

        Assert.Equal(
            [("json", 0, 8), ("json_parses", 0, 8), ("recall_0", 4, 8), ("recall_1", 4, 8)],
            together.Scores.Select(s => (s.Name, s.Right, s.Count)));
        Assert.Equal(alone.Scores, together.Scores);
        Assert.Equal(("noise", "bf16"), (together.Model, together.Dtype));
        for (int i = 0; i < lines.Length; i++)
        {
            Assert.Equal($"q{i}", together.Results[i].Id);
            Assert.Equal(learned.Results[i].OutputIds, alone.Results[i].OutputIds);
            Assert.Equal(learned.Results[i].OutputIds, together.Results[i].OutputIds);
            Assert.Equal(alone.Results[i].PromptIds, together.Results[i].PromptIds);
            Assert.InRange(together.Results[i].OutputIds.Count, 1, 1 + i);
        }

        // Not one answer for all, and prefixes were found in the cache.
        Assert.True(learned.Results.Select(r => r.Text).Distinct().Count() > 5);
        Assert.Contains(alone.Results, r => r.CachedPromptTokens > 0);
    }

    [Fact]
    public async Task Prompts_are_rendered_by_the_models_template_and_tools_go_in()
    {
        File.WriteAllText(
            Path.Combine(_model, "chat_template.jinja"),
            "{{ bos_token }}{% for tool in tools or [] %}[{{ tool.function.name }}]{% endfor %}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}");
        const string Tools = """
            "tools": [{"type": "function", "function": {"name": "get_weather"}}], "check":
            """;
        string line = Line("a", message: "Hello.").Replace("\"check\":", Tools.Trim(), StringComparison.Ordinal);

        ConversationResult result = (await EvaluateAsync(parallel: 4, line)).Results.Single();

        Tokenizer tokenizer = Tokenizer.Load(_model);
        Assert.Equal("<|begin_of_text|>[get_weather]user: Hello.\nassistant:", tokenizer.Decode([.. result.PromptIds], skipSpecialTokens: false));
        Assert.Equal(tokenizer.BosTokenId, result.PromptIds[0]);
    }

    [Fact]
    public async Task Generation_ends_at_the_models_own_tokens()
    {
        string line = Line("a", """{"kind": "finished", "min_words": 1}""", maxTokens: 60);
        ConversationResult free = (await EvaluateAsync(parallel: 1, line)).Results.Single();
        Assert.False(free.EndedItself);
        Assert.False(free.Right);
        Assert.Equal(60, free.OutputIds.Count);

        // What it says fourth, or first before, becomes the token that ends.
        int stop = free.OutputIds[3];
        File.WriteAllText(Path.Combine(_model, "generation_config.json"), $$"""{"eos_token_id": [{{stop}}]}""");
        ConversationResult stopped = (await EvaluateAsync(parallel: 1, line)).Results.Single();

        Assert.True(stopped.EndedItself);
        Assert.Equal(free.OutputIds.Take(free.OutputIds.ToList().IndexOf(stop) + 1), stopped.OutputIds);
        Assert.Equal(Tokenizer.Load(_model).Decode([.. stopped.OutputIds.SkipLast(1)]), stopped.Text);
    }

    [Fact]
    public async Task Progress_is_told_after_each_conversation()
    {
        var progress = new Record();
        await ModelEvaluation.RunAsync(Options(3, [Line("a"), Line("b"), Line("c")]), progress, TestContext.Current.CancellationToken);
        Assert.Equal([(1, 3), (2, 3), (3, 3)], progress.Told.Order());
    }

    [Fact]
    public async Task A_prompt_that_leaves_no_room_is_refused_with_its_line()
    {
        EvaluationException error = await Assert.ThrowsAsync<EvaluationException>(
            () => EvaluateAsync(parallel: 1, Line("a"), Line("b", message: string.Join('\n', Enumerable.Repeat("1", Context)))));
        Assert.Contains("heldout.jsonl, line 2: the prompt has ", error.Message, StringComparison.Ordinal);
        Assert.Contains($"the model's context is {Context} tokens", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_template_that_refuses_or_is_malformed_or_missing_is_reported()
    {
        string template = Path.Combine(_model, "chat_template.jinja");
        File.WriteAllText(template, "{{ raise_exception('no ' + messages[0].role) }}");
        Assert.Contains("line 1: The model's chat template refused the messages: no user", (await RefusalAsync()).Message, StringComparison.Ordinal);

        File.WriteAllText(template, "{% for %}");
        EvaluationException malformed = await RefusalAsync();
        Assert.StartsWith($"{_model}: chat template, line 1", malformed.Message, StringComparison.Ordinal);
        Assert.IsType<ChatTemplateException>(malformed.InnerException);

        File.Delete(template);
        File.WriteAllText(Path.Combine(_model, "tokenizer_config.json"), "{}");
        Assert.StartsWith($"{_model}: the model has no chat template", (await RefusalAsync()).Message, StringComparison.Ordinal);

        Task<EvaluationException> RefusalAsync() => Assert.ThrowsAsync<EvaluationException>(() => EvaluateAsync(parallel: 1, Line("a")));
    }

    [Fact]
    public async Task Options_out_of_range_are_refused()
    {
        EvaluationOptions options = Options(1, [Line("a")]);
        foreach (EvaluationOptions wrong in (EvaluationOptions[])
            [options with { Limit = 0 }, options with { Parallel = 0 }, options with { Cpu = new CpuOptions { Threads = 0 } }])
        {
            await Assert.ThrowsAsync<ArgumentException>(() => ModelEvaluation.RunAsync(wrong, new Record(), TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public async Task An_evaluation_can_be_cancelled()
    {
        using var cancellation = new CancellationTokenSource();
        var progress = new Record(cancellation.Cancel);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ModelEvaluation.RunAsync(
            Options(1, [.. Enumerable.Range(0, 50).Select(i => Line($"q{i}", maxTokens: 50))]), progress, cancellation.Token));
        Assert.InRange(progress.Told.Count, 1, 5);
    }

    private Task<EvaluationReport> EvaluateAsync(int parallel, params string[] lines) =>
        ModelEvaluation.RunAsync(Options(parallel, lines), new Record(), TestContext.Current.CancellationToken);

    private EvaluationOptions Options(int parallel, string[] lines) => new()
    {
        ModelDirectory = _model,
        DataFile = _folder.Write("heldout.jsonl", string.Join('\n', lines)),
        Parallel = parallel,
        Cpu = new CpuOptions { Threads = 1 },
    };

    private sealed class Record(Action? then = null) : IProgress<EvaluationProgress>
    {
        private readonly Lock _lock = new();
        private readonly List<(int Done, int Total)> _told = [];

        public IReadOnlyList<(int Done, int Total)> Told => _told;

        public void Report(EvaluationProgress value)
        {
            lock (_lock)
            {
                _told.Add((value.Done, value.Total));
            }

            then?.Invoke();
        }
    }
}
