using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmCluster.Inference.ChatTemplates;
using Xunit;

namespace LlmCluster.Tests.Unit.ChatTemplates;

/// <summary>Templates that would take for ever, or all memory, or all of the stack: each ends in an error.</summary>
public class ChatTemplateLimitTests
{
    private static readonly ChatTemplateLimits Small = new() { MaxSteps = 1_000_000, MaxProduced = 2_000_000 };

    [Theory]
    [InlineData("{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% set ns = namespace(s='x') %}{% for a in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}", "characters")]
    [InlineData("{% set ns = namespace(s='x') %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "characters")]
    [InlineData("{% set ns = namespace(s=[1]) %}{% for a in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "elements")]
    [InlineData("{{ 'x' * 999999999999 }}", "characters")]
    [InlineData("{{ [1] * 999999999 }}", "elements")]
    [InlineData("{{ 'x'.center(900000000) }}", "characters")]
    [InlineData("{{ '%900000d' % 1 }}{{ '{:>900000}'.format(1) }}{{ 'x'.zfill(999999999) }}", "characters")]
    [InlineData("{% set s = 'x' * 1000000 %}{{ s.replace('x', 'yyyyyyyyyy') }}", "characters")]
    [InlineData("{% set s = 'x' * 1000000 %}{{ s | list }}{{ s | list }}", "characters")]
    [InlineData("{% set s = 'ab' * 500000 %}{% for i in range(99999) %}{% set x = 'c' in s %}{% endfor %}", "characters")]
    [InlineData("{{ (('x' * 100000) ~ '\n') | indent(1000, true) }}{{ ('\n' * 100000) | indent(1000, blank=true) }}", "characters")]
    [InlineData("{{ 10 ** 999999999 }}", "bits")]
    [InlineData("{% set ns = namespace(n=10) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}", "bits")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}", "nested too deeply")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for i in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l | tojson }}", "nested too deeply")]
    [InlineData("{% set ns = namespace(l=[], k=[]) %}{% for i in range(20000) %}{% set ns.l = [ns.l] %}{% set ns.k = [ns.k] %}{% endfor %}{{ ns.l == ns.k }}", "nested too deeply")]
    public void It_ends_with_an_error(string template, string reason)
    {
        var clock = Stopwatch.StartNew();
        var context = new ChatTemplateContext { Messages = new JsonArray(), Limits = Small };
        var error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template).Render(context));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"it took {clock.Elapsed}");
    }

    [Fact]
    public void A_large_stack_does_not_allow_deeper_nesting()
    {
        Exception? error = null;
        var context = new ChatTemplateContext { Messages = new JsonArray(), Limits = Small };
        ChatTemplate template = ChatTemplate.Parse("{% set ns = namespace(l=[]) %}{% for i in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}");
        var thread = new Thread(() => error = Record.Exception(() => template.Render(context)), maxStackSize: 256 << 20);
        thread.Start();
        thread.Join();
        Assert.Contains("nested too deeply", Assert.IsType<ChatTemplateException>(error).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{ ", "(", "1", ")", " }}")]
    [InlineData("{{ ", "[", "1", "]", " }}")]
    [InlineData("{{ ", "not ", "1", "", " }}")]
    [InlineData("{{ ", "-", "1", "", " }}")]
    [InlineData("", "{% if 1 %}", "1", "{% endif %}", "")]
    public void A_template_that_is_nested_too_deeply_is_refused(string before, string open, string middle, string close, string after)
    {
        string template = before + string.Concat(Enumerable.Repeat(open, 50_000)) + middle + string.Concat(Enumerable.Repeat(close, 50_000)) + after;
        Assert.Contains("nested deeper", Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1", " + 1")]
    [InlineData("'a'", " | trim")]
    [InlineData("messages", ".x")]
    [InlineData("1", " or 1")]
    public void A_chain_that_is_too_long_ends_with_an_error_or_a_result(string first, string link)
    {
        // Chains nest to the left; what they cost is stack, of which they must not take all.
        string template = "{{ " + first + string.Concat(Enumerable.Repeat(link, 300_000)) + " }}";
        var context = new ChatTemplateContext { Messages = new JsonArray() };
        var error = Record.Exception(() => Assert.Equal("1", ChatTemplate.Parse(template).Render(context)));
        Assert.True(error is null or ChatTemplateException { Line: 1 }, $"{error}");
    }

    [Fact]
    public void A_long_conversation_is_well_within_the_limits()
    {
        var messages = new JsonArray();
        for (int i = 0; i < 2000; i++)
        {
            messages.Add(new JsonObject { ["role"] = "user", ["content"] = new string('x', 2000) });
        }

        string text = ChatTemplate.Parse("{% for m in messages %}{{ m.role + ': ' + m.content | trim | replace('y', 'z') }}\n{% endfor %}")
            .Render(new ChatTemplateContext { Messages = messages });
        Assert.Equal(2000 * 2007, text.Length);
    }
}
