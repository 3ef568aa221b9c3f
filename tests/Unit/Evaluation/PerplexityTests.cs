using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Evaluation;
using LlmCluster.Evaluation.Perplexity;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Evaluation;

public sealed class PerplexityTests : IDisposable
{
    private readonly TempDirectory _folder = new("perplexity");
    private readonly string _model;

    public PerplexityTests()
    {
        _model = _folder.Combine("noise");
        RandomCheckpoint.Write(ModelPreset.Tiny.Config(ModelArchitecture.Llama), 5, _model);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Random_weights_foresee_nothing()
    {
        PerplexityReport report = Measure([Turns("Hello", "Hello there, how are you?"), Turns("One", "Two", "Three", "Four and five")], new CpuOptions { Threads = 2 });
        int vocabulary = CheckpointSettings.Read(_model).Config.VocabSize;
        Assert.Equal((2, "bf16", "bf16"), (report.Conversations, report.Weights, report.Kv));
        Assert.InRange(report.Tokens, 15, 60);
        Assert.True(report.Perplexity > vocabulary / 3.0, $"A perplexity of {report.Perplexity} is too good for noise.");
        Assert.Equal(Math.Exp(report.Loss), report.Perplexity);
    }

    [Fact]
    public void Only_what_the_assistant_says_is_counted()
    {
        PerplexityReport first = Measure([Turns("One", "Two")], new CpuOptions { Threads = 1 });
        PerplexityReport both = Measure([Turns("One", "Two", "and what is said then, at length", "Two")], new CpuOptions { Threads = 1 });
        Assert.Equal(2 * first.Tokens, both.Tokens);
    }

    [Fact]
    public void An_answer_beside_the_messages_is_said_last()
    {
        JsonObject asked = Turns("One");
        asked["answer"] = "Two";
        PerplexityReport apart = Measure([asked], new CpuOptions { Threads = 1 });
        PerplexityReport within = Measure([Turns("One", "Two")], new CpuOptions { Threads = 1 });
        Assert.Equal((within.Tokens, within.Loss), (apart.Tokens, apart.Loss));
    }

    [Fact]
    public void Long_conversations_are_measured_in_chunks()
    {
        string said = string.Join(' ', Enumerable.Range(0, 300).Select(i => $"word{i}"));
        PerplexityReport report = Measure([Turns("Say much", said)], new CpuOptions { Threads = 2, Weights = WeightDtype.F32 });
        using Checkpoint checkpoint = Checkpoint.Open(_model);
        using CpuModel model = CpuModel.Load(checkpoint, new CpuOptions { Threads = 2, Weights = WeightDtype.F32 });
        Assert.True(report.Tokens > 600);
        Assert.Equal(model.WeightBytes, report.WeightBytes);

        // In one piece.
        ScoredConversation conversation = Reader().Read(_folder.Combine("data.jsonl"), null)[0];
        using var runner = new CpuModelRunner(model, model.KvLayout.BlocksFor(conversation.Tokens.Length));
        int vocabulary = model.Config.VocabSize;
        var logits = new float[conversation.Tokens.Length * vocabulary];
        var batch = new ForwardBatch();
        batch.Add(conversation.Tokens, 0, [.. Enumerable.Range(0, model.KvLayout.BlocksFor(conversation.Tokens.Length))], conversation.Tokens.Length);
        runner.Forward(batch, logits);
        Range range = Assert.Single(conversation.Said);
        double loss = Enumerable.Range(range.Start.Value, range.End.Value - range.Start.Value).Average(i =>
        {
            float[] row = logits[((i - 1) * vocabulary)..(i * vocabulary)];
            return Math.Log(row.Sum(l => Math.Exp(l - (double)row.Max()))) - (row[conversation.Tokens[i]] - (double)row.Max());
        });
        Assert.Equal(loss, report.Loss, 1e-9);
    }

    [Fact]
    public void Fewer_bits_foresee_a_little_differently()
    {
        JsonObject[] data = [Turns("One", "Two, three, four, five, six, seven, eight, nine, ten")];
        double exact = Measure(data, new CpuOptions { Threads = 2, Weights = WeightDtype.F32 }).Loss;
        double bytes = Measure(data, new CpuOptions { Threads = 2, Weights = WeightDtype.Q8 }).Loss;
        double nibbles = Measure(data, new CpuOptions { Threads = 2, Weights = WeightDtype.Q4 }).Loss;
        Assert.InRange(Math.Abs(bytes - exact), 1e-9, 0.01 * exact);
        Assert.InRange(Math.Abs(nibbles - exact), 1e-9, 0.1 * exact);
    }

    [Theory]
    [InlineData("{", "line 1: not valid JSON")]
    [InlineData("""{"messages": [{"role": "user", "content": "Hello"}]}""", "line 1: the assistant says nothing")]
    [InlineData("", "holds no conversation")]
    public void What_is_wrong_with_the_data_is_said(string line, string expected)
    {
        File.WriteAllText(_folder.Combine("data.jsonl"), line + "\n");
        Assert.Contains(expected, Assert.Throws<EvaluationException>(() => Reader().Read(_folder.Combine("data.jsonl"), null)).Message);
    }

    [Fact]
    public void Limits_and_missing_files_are_checked()
    {
        Assert.Contains("does not exist", Assert.Throws<EvaluationException>(() => Reader().Read(_folder.Combine("none.jsonl"), null)).Message);
        Assert.Throws<ArgumentException>(() => new PerplexityOptions { ModelDirectory = _model, DataFile = "", Limit = 0 }.Validate());
    }

    private static JsonObject Turns(params string[] texts) => new()
    {
        ["messages"] = new JsonArray([.. texts.Select((text, i) => new JsonObject { ["role"] = i % 2 == 0 ? "user" : "assistant", ["content"] = text })]),
    };

    private ScoredConversationReader Reader() => PerplexityMeasurement.CreateReader(_model);

    private PerplexityReport Measure(JsonObject[] conversations, CpuOptions cpu)
    {
        string data = _folder.Combine("data.jsonl");
        File.WriteAllLines(data, conversations.Select(conversation => conversation.ToJsonString(JsonSerializerOptions.Default)));
        var options = new PerplexityOptions { ModelDirectory = _model, DataFile = data, Cpu = cpu };
        return PerplexityMeasurement.Run(options, new Progress<EvaluationProgress>(), TestContext.Current.CancellationToken);
    }
}
