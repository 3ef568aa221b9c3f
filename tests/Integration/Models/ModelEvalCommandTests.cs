using System.Text.Json;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Models;

/// <summary><c>llmc model eval</c> as a user runs it, on a model with random weights.</summary>
public sealed class ModelEvalCommandTests : IDisposable
{
    private readonly TempDirectory _folder = new("eval");
    private readonly string _model;

    public ModelEvalCommandTests()
    {
        _model = _folder.Combine("noise");
        RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, 3, _model);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task PrintsAndWritesWhatItFound()
    {
        WriteData(Line("a", "recall", "512", """{"kind": "exact", "answer": "4821"}"""), Line("b", "story", null, """{"kind": "finished", "min_words": 9}"""));
        string json = _folder.Combine("figures", "eval.json");
        string predictions = _folder.Combine("figures", "predictions.jsonl");

        (int exitCode, string log) = await RunAsync("--json", json, "--predictions", predictions, "--failures", "1", "--dtype", "f32", "--threads", "1");

        Assert.True(exitCode == 0, log);
        Assert.Matches(@"recall_512 +│ +0\.0 % +│ +0 │ +1 │", log);
        Assert.Contains("expected  4821", log);
        Assert.Contains("2 of 2", log);
        using JsonDocument figures = JsonDocument.Parse(await File.ReadAllTextAsync(json, TestContext.Current.CancellationToken));
        Assert.Equal("noise", figures.RootElement.GetProperty("model").GetString());
        Assert.Equal("f32", figures.RootElement.GetProperty("dtype").GetString());
        Assert.Equal(0, figures.RootElement.GetProperty("skills").GetProperty("recall_512").GetDouble());
        Assert.Equal(1, figures.RootElement.GetProperty("counts").GetProperty("story").GetInt32());
        string[] lines = await File.ReadAllLinesAsync(predictions, TestContext.Current.CancellationToken);
        Assert.Equal(["a", "b"], lines.Select(line => JsonElement.Parse(line).GetProperty("id").GetString()));
    }

    [Fact]
    public async Task TakesAPart()
    {
        WriteData(Line("a", "recall", "512", """{"kind": "exact", "answer": "1"}"""), Line("b", "chat", null, """{"kind": "exact", "answer": "1"}"""));
        (int exitCode, string log) = await RunAsync("--skill", "chat", "--limit", "1");
        Assert.True(exitCode == 0, log);
        Assert.Contains(": 1 conversations", log);
        Assert.DoesNotContain("recall", log);
    }

    [Fact]
    public async Task SaysWhatIsWrongInOneLine()
    {
        (int exitCode, string log) = await RunAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains($"llmc model eval: {Path.Combine(_model, "eval", "heldout.jsonl")} does not exist", log);

        WriteData(Line("a", "recall", null, """{"kind": "guess"}"""));
        (exitCode, log) = await RunAsync();
        Assert.Equal(1, exitCode);
        Assert.Contains("heldout.jsonl, line 1: Invalid 'check.kind': 'guess' is not a kind of check.", log);
        Assert.DoesNotContain("LLMC_DEBUG", log);
    }

    private static string Line(string id, string skill, string? bucket, string check) =>
        $$"""{"id": "{{id}}", "skill": "{{skill}}", {{(bucket is null ? "" : $"\"bucket\": \"{bucket}\", ")}}"messages": [{"role": "user", "content": "Well?"}], "max_tokens": 9, "check": {{check}}}""";

    private void WriteData(params string[] lines) => _folder.Write(Path.Combine("noise", "eval", "heldout.jsonl"), string.Join('\n', lines));

    private Task<(int ExitCode, string Log)> RunAsync(params string[] arguments) => LlmcProcess.RunAsync(["model", "eval", _model, .. arguments]);
}
