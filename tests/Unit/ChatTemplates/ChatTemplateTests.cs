using System.Text.Json.Nodes;
using LlmCluster.Inference.ChatTemplates;
using Xunit;

namespace LlmCluster.Tests.Unit.ChatTemplates;

public class ChatTemplateTests
{
    private const string ChatMl =
        """
        {%- for message in messages %}
            {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}
            {{- '<|im_start|>assistant\n' }}
        {%- endif %}
        """;

    [Fact]
    public void A_conversation_becomes_a_prompt()
    {
        var template = ChatTemplate.Parse(ChatMl);
        Assert.Equal(ChatMl, template.Source);
        Assert.Equal(
            "<|im_start|>user\nHello 😀<|im_end|>\n<|im_start|>assistant\n",
            template.Render(Conversation("""[{"role":"user","content":"Hello 😀"}]""")));
        Assert.Equal(
            "<|im_start|>user\nHi<|im_end|>\n",
            template.Render(Conversation("""[{"role":"user","content":"Hi"}]""") with { AddGenerationPrompt = false }));
    }

    [Fact]
    public void Everything_that_is_passed_in_has_its_name()
    {
        var context = new ChatTemplateContext
        {
            Messages = new JsonArray(1),
            Tools = new JsonArray("t"),
            Documents = new JsonArray("d"),
            BosToken = "<s>",
            EosToken = "</s>",
            Variables = new JsonObject { ["enable_thinking"] = false, ["eos_token"] = "<end>" },
        };
        Assert.Equal(
            "[1]['t']['d']True<s><end>False",
            ChatTemplate.Parse("{{ messages }}{{ tools }}{{ documents }}{{ add_generation_prompt }}{{ bos_token }}{{ eos_token }}{{ enable_thinking }}").Render(context));
        Assert.Equal("None|False", Render("{{ tools }}|{{ bos_token is defined }}"));
    }

    [Theory]
    [InlineData("{{ raise_exception('no system role') }}", 1, "no system role", true)]
    [InlineData("a\n{% if true %}\n{{ messages.foo.bar }}\n{% endif %}", 3, "a value of type list has no attribute 'foo', so it has no attribute 'bar'.", false)]
    [InlineData("\n\n{{ 'a' + 1 }}", 3, "\"+\" can't be applied to str and int.", false)]
    [InlineData("{% for x in 5 %}{% endfor %}", 1, "a value of type int can't be iterated over.", false)]
    [InlineData("{{ x | shout }}", 1, "unknown filter \"shout\".", false)]
    [InlineData("\n{{ x is shouted }}", 2, "unknown test \"shouted\".", false)]
    [InlineData("{{ y }}{{ y() }}", 1, "'y' is undefined, so it can't be called.", false)]
    [InlineData("{{ messages.append(1) }}", 1, "list.append would change its list, which templates can't; use list + [...].", false)]
    [InlineData("{% macro m(x) %}\n{{ x.y.z }}{% endmacro %}\n\n{{ m({}) }}", 2, "a value of type dict has no attribute 'y', so it has no attribute 'z'.", false)]
    [InlineData("{{ range(1000000) }}", 1, "the range has more than 100000 elements.", false)]
    [InlineData("{{ 1 // 0 }}", 1, "division by zero.", false)]
    public void An_error_names_its_line(string template, int line, string reason, bool raised)
    {
        var error = Assert.Throws<ChatTemplateException>(() => Render(template));
        Assert.Equal((line, reason, raised), (error.Line, error.Reason, error.RaisedByTemplate));
        Assert.Equal($"chat template, line {line}: {reason}", error.Message);
    }

    [Theory]
    [InlineData("{{ a", 1, "the tag has no \"}}\".")]
    [InlineData("\n{% if a %}", 2, "\"if\" has no \"endif\".")]
    [InlineData("{% for x in y %}\n{% endif %}", 2, "unexpected statement \"endif\"; known are if, for, set, macro, call, filter, with, generation, raw, break and continue.")]
    [InlineData("{% include 'x' %}", 1, "unexpected statement \"include\"; known are if, for, set, macro, call, filter, with, generation, raw, break and continue.")]
    [InlineData("{# c", 1, "the comment has no \"#}\".")]
    [InlineData("{{ 'abc }}", 1, "the string has no end.")]
    [InlineData("\n{{ a b }}", 2, "expected \"}}\", found \"b\".")]
    [InlineData("{{ (a }}", 1, "the tag has no \"}}\".")]
    [InlineData("{{ a ? b }}", 1, "unexpected character '?'.")]
    [InlineData("{% break %}", 1, "break and continue belong into a loop.")]
    [InlineData("{% for x in y recursive %}{% endfor %}", 1, "recursive loops are not supported.")]
    [InlineData("{{ f(a=1, 2) }}", 1, "a positional argument comes after a named one.")]
    [InlineData("{% raw %}x", 1, "\"raw\" has no \"endraw\".")]
    [InlineData("{% set 5 = 1 %}", 1, "expected a name to assign to, found \"5\".")]
    public void A_malformed_template_is_refused_with_its_line(string template, int line, string reason)
    {
        var error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template));
        Assert.Equal((line, reason), (error.Line, error.Reason));
    }

    [Fact]
    public void The_clock_can_be_set()
    {
        var context = Conversation("[]") with { Clock = new FixedClock(new DateTimeOffset(2024, 7, 6, 15, 4, 5, TimeSpan.Zero)) };
        Assert.Equal(
            "06 Jul 2024|2024-07-06 15:04:05|July 6, 2024|Sat Saturday 188 03 PM 24 % 07/06/24",
            ChatTemplate.Parse("{{ strftime_now('%d %b %Y') }}|{{ strftime_now('%Y-%m-%d %H:%M:%S') }}|{{ strftime_now('%B %-d, %Y') }}|{{ strftime_now('%a %A %j %I %p %y %% %D') }}")
                .Render(context));
        Assert.Contains("does not know %Q", Assert.Throws<ChatTemplateException>(() => Render("{{ strftime_now('%Q') }}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_numbers_of_a_schema_stay_as_they_are() =>
        Assert.Equal(
            """{"maximum": 18446744073709551615, "minimum": -9223372036854775808, "step": 0.1, "one": 1.0, "e": 1e+30}""",
            ChatTemplate.Parse("{{ tools | tojson }}").Render(Conversation("[]") with
            {
                Tools = JsonNode.Parse("""{"maximum": 18446744073709551615, "minimum": -9223372036854775808, "step": 0.1, "one": 1.0, "e": 1e30}"""),
            }));

    [Fact]
    public void What_is_passed_in_is_not_changed()
    {
        var messages = JsonNode.Parse("""[{"role":"user","content":"x","n":{"a":[1]}}]""")!;
        string before = messages.ToJsonString();
        ChatTemplate.Parse("{% set messages = [] %}{% set m = messages %}{{ messages | tojson }}").Render(new ChatTemplateContext { Messages = messages });
        Assert.Equal(before, messages.ToJsonString());
    }

    [Fact]
    public async Task One_template_renders_on_several_threads()
    {
        var template = ChatTemplate.Parse("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m %}{{ ns.n }} {% endfor %}");
        await Task.WhenAll(Enumerable.Range(0, 8).Select(start => Task.Run(() =>
        {
            for (int round = 0; round < 200; round++)
            {
                var context = new ChatTemplateContext { Messages = new JsonArray(start, round, 1) };
                Assert.Equal($"{start} {start + round} {start + round + 1} ", template.Render(context));
            }
        })));
    }

    private static ChatTemplateContext Conversation(string messages) => new() { Messages = JsonNode.Parse(messages)! };

    private static string Render(string template) => ChatTemplate.Parse(template).Render(Conversation("[]"));

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => now;
    }
}
