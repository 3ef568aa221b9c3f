using LlmCluster.Evaluation;
using LlmCluster.Evaluation.HeldOut;
using Xunit;
using static LlmCluster.Tests.Unit.Evaluation.HeldOutLines;

namespace LlmCluster.Tests.Unit.Evaluation;

public sealed class HeldOutFileTests
{
    [Fact]
    public void Every_field_is_read()
    {
        const string Full =
            """
            {"id": "tool-1", "skill": "tool", "bucket": "512", "seed": 9, "max_tokens": 48,
             "messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello."},
                          {"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Weather in Tarn?"}],
             "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}],
             "check": {"kind": "tool", "name": "get_weather", "arguments": {"city": "Tarn"}}}
            """;
        List<HeldOutConversation> read = Read(Full.ReplaceLineEndings(" "), "", Line("recall-1"), "  ");

        Assert.Equal(["tool-1", "recall-1"], read.Select(c => c.Id));
        Assert.Equal(["tool_512", "recall"], read.Select(c => c.Name));
        Assert.Equal([48, 8], read.Select(c => c.MaxTokens));
        Assert.Equal("Weather in Tarn?", read[0].Question);
        Assert.Equal(["system", "user", "assistant", "user"], read[0].Prompt.Messages.Select(m => (string?)m!["role"]));
        Assert.Equal("get_weather", (string?)read[0].Prompt.Tools![0]!["function"]!["name"]);
        Assert.Null(read[1].Prompt.Tools);
        Assert.All(read, c => Assert.True(c.Prompt.AddGenerationPrompt));
        Assert.EndsWith("heldout.jsonl, line 3", read[1].Location, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"id": "x",""", "not valid JSON at byte 11")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("""{"skill": "a"}""", "'id'")]
    [InlineData("""{"id": "", "skill": "a"}""", "'id'")]
    [InlineData("""{"id": "x"}""", "'skill'")]
    [InlineData("""{"id": "x", "skill": "a", "bucket": 512}""", "'bucket'")]
    [InlineData("""{"id": "x", "skill": "a"}""", "'messages'")]
    [InlineData("""{"id": "x", "skill": "a", "messages": []}""", "'messages'")]
    [InlineData("""{"id": "x", "skill": "a", "messages": [{"role": "owl", "content": ""}]}""", "'messages.0.role'")]
    [InlineData("""{"id": "x", "skill": "a", "messages": [{"role": "user", "content": "a"}], "tools": [{"type": "function"}]}""", "'tools.0.function'")]
    [InlineData("""{"id": "x", "skill": "a", "messages": [{"role": "user", "content": "a"}]}""", "'max_tokens'")]
    [InlineData("""{"id": "x", "skill": "a", "messages": [{"role": "user", "content": "a"}], "max_tokens": 0}""", "'max_tokens'")]
    [InlineData("""{"id": "x", "skill": "a", "messages": [{"role": "user", "content": "a"}], "max_tokens": 1}""", "'check'")]
    public void A_malformed_line_is_refused_with_its_number(string line, string expected)
    {
        EvaluationException error = Assert.Throws<EvaluationException>(() => Read(Line("a"), line));
        Assert.Contains("heldout.jsonl, line 2: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_id_that_comes_twice_is_refused_with_both_lines()
    {
        EvaluationException error = Assert.Throws<EvaluationException>(() => Read(Line("a"), Line("b"), Line("a")));
        Assert.Contains("line 3: the id 'a'", error.Message, StringComparison.Ordinal);
        Assert.Contains("line 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_stands_for_the_share_of_json_is_refused() =>
        Assert.Contains("'json_parses'", Assert.Throws<EvaluationException>(() => Read(Line("a", skill: "json_parses"))).Message, StringComparison.Ordinal);

    [Fact]
    public void An_empty_file_and_none_are_refused()
    {
        Assert.Contains("holds no conversation", Assert.Throws<EvaluationException>(() => Read("", " ")).Message, StringComparison.Ordinal);
        string missing = Path.Combine(Path.GetTempPath(), "no-such-heldout.jsonl");
        Assert.StartsWith($"{missing} does not exist", Assert.Throws<EvaluationException>(() => HeldOutFile.Read(missing)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_is_selected_by_skill_by_name_and_by_number()
    {
        List<HeldOutConversation> all = Read(
            Line("a", bucket: "256"), Line("b", bucket: "512"), Line("c", skill: "chat"), Line("d", bucket: "256"), Line("e", skill: "chat"));

        Assert.Equal(all, HeldOutSelection.Select(all, [], null));
        Assert.Equal(["a", "b", "d"], Ids(["recall"], null));
        Assert.Equal(["a", "d"], Ids(["recall_256"], null));
        Assert.Equal(["b", "c", "e"], Ids(["recall_512", "chat"], null));
        Assert.Equal(["a", "b", "c"], Ids([], 1));
        Assert.Equal(["c"], Ids(["chat"], 1));
        Assert.Equal(
            "No conversation has the skill 'story'; there are chat, recall.",
            Assert.Throws<EvaluationException>(() => Ids(["chat", "story"], null)).Message);

        IEnumerable<string> Ids(string[] skills, int? limit) => HeldOutSelection.Select(all, skills, limit).Select(c => c.Id);
    }
}
