using LlmCluster.Evaluation;
using LlmCluster.Evaluation.Checks;
using Xunit;

namespace LlmCluster.Tests.Unit.Evaluation;

public sealed class CheckTests
{
    [Theory]
    [InlineData("4821", true)]
    [InlineData(" 4821\n", true)]
    [InlineData("4822", false)]
    [InlineData("4821.", false)]
    [InlineData("The code is 4821", false)]
    [InlineData("", false)]
    public void Exact_takes_the_text_alone(string text, bool right) =>
        Assert.Equal(new Verdict(right), Judge("""{"kind": "exact", "answer": "4821"}""", text));

    [Theory]
    [InlineData("Mira", true)]
    [InlineData("her aunt", true)]
    [InlineData("mira", false)]
    [InlineData("Mira, her aunt", false)]
    public void Exact_takes_any_of_several(string text, bool right) =>
        Assert.Equal(right, Judge("""{"kind": "exact", "answers": ["Mira", "her aunt "]}""", text).Right);

    [Theory]
    [InlineData("It stands in the Mill House, by the RIVER.", true, true)]
    [InlineData("By the river: the mill house.", true, true)]
    [InlineData("It stands in the mill house.", true, false)]
    [InlineData("The mill-house by the river.", true, false)]
    [InlineData("In the mill house by the river and the", false, false)]
    public void Contains_takes_every_word_in_an_answer_that_ended(string text, bool ended, bool right) =>
        Assert.Equal(new Verdict(right), Judge("""{"kind": "contains", "words": ["mill house", "river"]}""", text, ended));

    [Theory]
    [InlineData("The fox  ran\nhome.", true, true)]
    [InlineData("A fox ran.", true, false)]
    [InlineData("The dog ran home.", true, false)]
    [InlineData("The fox ran home and then", false, false)]
    public void Finished_counts_words(string text, bool ended, bool right) =>
        Assert.Equal(new Verdict(right), Judge("""{"kind": "finished", "words": ["fox"], "min_words": 4}""", text, ended));

    [Fact]
    public void Finished_needs_no_words_to_look_for() =>
        Assert.True(Judge("""{"kind": "finished", "min_words": 2}""", "The end.").Right);

    [Theory]
    [InlineData("""{"name": "Mira", "age": 7, "pets": ["cat"]}""", true, true)]
    [InlineData(""" { "pets":["cat"], "age":7.0, "name":"M\u0069ra" } """, true, true)]
    [InlineData("""{"name": "Mira", "age": 8, "pets": ["cat"]}""", true, false)]
    [InlineData("""{"name": "Mira", "age": "7", "pets": ["cat"]}""", true, false)]
    [InlineData("""{"name": "Mira", "age": 7}""", true, false)]
    [InlineData("""{"name": "Mira", "age": 7, "pets": ["cat"], "more": 1}""", true, false)]
    [InlineData("""{"name": "Mira", "name": "Mira", "age": 7, "pets": ["cat"]}""", true, false)]
    [InlineData("""{"name": "\ud800", "age": 7, "pets": ["cat"]}""", true, false)]
    [InlineData("""["Mira"]""", false, false)]
    [InlineData("7", false, false)]
    [InlineData("""{"name": "Mira", "age": 7, "pets": ["cat"]} Done.""", false, false)]
    [InlineData("""Here: {"name": "Mira", "age": 7, "pets": ["cat"]}""", false, false)]
    [InlineData("""{"name": "Mira", "age": 7,""", false, false)]
    [InlineData("", false, false)]
    public void Json_takes_an_equal_object_and_tells_whether_there_is_one(string text, bool parses, bool right) =>
        Assert.Equal(
            new Verdict(right, parses),
            Judge("""{"kind": "json", "answer": {"name": "Mira", "age": 7, "pets": ["cat"]}}""", text));

    [Theory]
    [InlineData("""<tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}</tool_call>""", true)]
    [InlineData(" <tool_call>\n{\"arguments\": {\"days\": 2, \"city\": \"Tarn\"}, \"name\": \"get_weather\"}\n</tool_call>\n", true)]
    [InlineData("""<tool_call>{"name": "get_wind", "arguments": {"city": "Tarn", "days": 2}}</tool_call>""", false)]
    [InlineData("""<tool_call>{"name": "get_weather", "arguments": {"city": "Tarn"}}</tool_call>""", false)]
    [InlineData("""<tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}, "id": 1}</tool_call>""", false)]
    [InlineData("""<tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}</tool_call>""", false)]
    [InlineData("""<tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}""", false)]
    [InlineData("""{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}""", false)]
    [InlineData("""Sure. <tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}</tool_call>""", false)]
    [InlineData("""<tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}</tool_call><tool_call>{"name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}</tool_call>""", false)]
    [InlineData("<tool_call>", false)]
    [InlineData("<tool_call></tool_call>", false)]
    public void Tool_takes_one_equal_call_alone(string text, bool right) =>
        Assert.Equal(
            new Verdict(right),
            Judge("""{"kind": "tool", "name": "get_weather", "arguments": {"city": "Tarn", "days": 2}}""", text));

    [Theory]
    [InlineData("""{"kind": "exact", "answers": ["7", "seven"]}""", "7 or seven")]
    [InlineData("""{"kind": "contains", "words": ["mill", "river"]}""", "an answer that ends, with: mill, river")]
    [InlineData("""{"kind": "finished", "min_words": 9}""", "an answer that ends, of 9 words or more")]
    [InlineData("""{"kind": "finished", "words": ["fox"], "min_words": 9}""", "an answer that ends, of 9 words or more, with: fox")]
    [InlineData("""{"kind": "json", "answer": {"a":1}}""", """{"a":1}""")]
    [InlineData("""{"kind": "tool", "name": "f", "arguments": {}}""", """<tool_call>{"name":"f","arguments":{}}</tool_call>""")]
    public void Checks_say_what_they_expect(string check, string expected) =>
        Assert.Equal(expected, HeldOutLines.Read(HeldOutLines.Line("a", check))[0].Check.Expected);

    [Theory]
    [InlineData("""{"kind": "fuzzy"}""", "'fuzzy' is not a kind of check. Expected one of 'exact', 'contains', 'finished', 'json', 'tool'.")]
    [InlineData("""{"answer": "7"}""", "'check.kind'")]
    [InlineData("\"7\"", "'check'")]
    [InlineData("""{"kind": "exact"}""", "'check.answer'")]
    [InlineData("""{"kind": "exact", "answer": 7}""", "'check.answer'")]
    [InlineData("""{"kind": "exact", "answers": []}""", "'check.answers'")]
    [InlineData("""{"kind": "contains"}""", "'check.words'")]
    [InlineData("""{"kind": "contains", "words": []}""", "'check.words'")]
    [InlineData("""{"kind": "contains", "words": ["a", ""]}""", "'check.words.1'")]
    [InlineData("""{"kind": "finished", "words": ["a"]}""", "'check.min_words'")]
    [InlineData("""{"kind": "finished", "min_words": 0}""", "'check.min_words'")]
    [InlineData("""{"kind": "json", "answer": "7"}""", "'check.answer'")]
    [InlineData("""{"kind": "tool", "arguments": {}}""", "'check.name'")]
    [InlineData("""{"kind": "tool", "name": "f"}""", "'check.arguments'")]
    [InlineData("""{"kind": "tool", "name": "f", "arguments": "{}"}""", "'check.arguments'")]
    public void A_malformed_check_is_refused_with_line_and_field(string check, string expected)
    {
        EvaluationException error = Assert.Throws<EvaluationException>(
            () => HeldOutLines.Read(HeldOutLines.Line("a"), HeldOutLines.Line("b", check)));
        Assert.Contains("heldout.jsonl, line 2: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    private static Verdict Judge(string check, string text, bool endedItself = true) =>
        HeldOutLines.Read(HeldOutLines.Line("a", check))[0].Check.Judge(new Answer(text, endedItself));
}
