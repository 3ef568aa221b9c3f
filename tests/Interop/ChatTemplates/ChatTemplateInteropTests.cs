using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Inference.ChatTemplates;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.ChatTemplates;

/// <summary>Templates of real models, rendered here and by <c>@huggingface/jinja</c>.</summary>
public class ChatTemplateInteropTests
{
    /// <summary>The families that the engine runs; they must agree on every conversation, refusals included.</summary>
    private static readonly string[] Families =
    [
        "llama3", "library/llama3:8b", "library/llama3.1:8b", "library/llama3.2:3b", "qwen3", "library/qwen3:0.6b", "library/qwen2.5:0.5b",
        "library/qwen2:0.5b", "library/mistral:7b-instruct-fp16", "library/mistral-small:24b", "library/mistral-large:123b", "library/llama2:7b",
    ];

    [Fact]
    public async Task Templates_of_the_families_agree_on_every_conversation()
    {
        var templates = (await LoadTemplatesAsync()).Where(t => Families.Contains(t.Key)).ToDictionary();
        Assert.Equal(Families.Length, templates.Count);
        int refused = 0;
        foreach (var (name, context, expected) in await RenderThereAsync(templates, conversations: 250))
        {
            var (output, error) = Render(templates[name], context);
            if (expected["output"] is { } text)
            {
                Assert.True(error is null, $"{name}: {error?.Message}\n{context.ToJsonString()}");
                AssertSame(name, context, text.GetValue<string>(), output!);
            }
            else
            {
                Assert.True(error?.RaisedByTemplate, $"{name}: {error?.Message ?? output}\n{context.ToJsonString()}");
                Assert.Equal((name, expected["error"]!.GetValue<string>()), (name, error!.Reason));
                refused++;
            }
        }

        Assert.True(refused > 0, "No conversation was refused, so nothing shows that refusals agree.");
    }

    /// <summary>
    /// A hundred templates of all kinds of models. Where the reference lacks a filter for a type it has no answer; where it
    /// has one, it must be the same.
    /// </summary>
    [Fact]
    public async Task Templates_of_other_models_agree_where_the_reference_has_an_answer()
    {
        var templates = await LoadTemplatesAsync();

        // It tells roles apart with a variable that only some iterations of its loop set. In Jinja every iteration starts
        // anew, which jinja-cases.json of the unit tests shows; in the reference what the one before has set is still there.
        Assert.True(templates.Remove("library/llama-guard3:8b"));
        Assert.True(templates.Count >= 90, $"{templates.Count} templates were found.");
        int compared = 0;
        int unanswered = 0;
        foreach (var (name, context, expected) in await RenderThereAsync(templates, conversations: 40))
        {
            var (output, error) = Render(templates[name], context);
            if (error is { Reason: "\"+\" can't be applied to str and dict." })
            {
                // The template was written for arguments that are text. Python refuses here; JavaScript makes text of anything.
                unanswered++;
            }
            else if (expected["output"] is { } text)
            {
                Assert.True(error is null, $"{name}: {error?.Message}\n{context.ToJsonString()}");
                AssertSame(name, context, text.GetValue<string>(), output!);
                compared++;
            }
            else if (error is null)
            {
                string reason = expected["error"]!.GetValue<string>();
                Assert.True(
                    reason.StartsWith("Unknown ", StringComparison.Ordinal) || reason.StartsWith("Expected iterable", StringComparison.Ordinal),
                    $"{name}: the reference has the error \"{reason}\".\n{context.ToJsonString()}");
                unanswered++;
            }
        }

        Assert.True(compared > 3000 && unanswered < 300, $"{compared} compared, {unanswered} without an answer of the reference.");
    }

    private static void AssertSame(string name, JsonObject context, string expected, string actual)
    {
        int at = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(
            expected == actual,
            $"{name} differs at {at}: expected {Around(expected, at)}, got {Around(actual, at)}\n{context.ToJsonString()}");

        static string Around(string text, int at) => JsonSerializer.Serialize(text[Math.Max(0, at - 40)..Math.Min(text.Length, at + 40)]);
    }

    private static async Task<Dictionary<string, string>> LoadTemplatesAsync()
    {
        var templates = new Dictionary<string, string>();
        foreach (string line in (await NodeScript.RunAsync("jinja/templates.mjs")).Lines)
        {
            var item = JsonNode.Parse(line)!;
            templates.TryAdd(item["name"]!.GetValue<string>(), item["source"]!.GetValue<string>());
        }

        return templates;
    }

    private static async Task<List<(string Name, JsonObject Context, JsonNode Answer)>> RenderThereAsync(
        Dictionary<string, string> templates, int conversations)
    {
        var cases = templates.Keys.SelectMany(name => Conversations.Create(conversations).Select(context => (Name: name, Context: context))).ToArray();
        var input = new StringBuilder(JsonSerializer.Serialize(templates)).Append('\n');
        foreach (var (name, context) in cases)
        {
            input.Append(new JsonObject { ["template"] = name, ["context"] = context.DeepClone() }.ToJsonString()).Append('\n');
        }

        string[] answers = (await NodeScript.RunAsync("jinja/render.mjs", input: input.ToString(), deadline: TimeSpan.FromMinutes(4))).Lines;
        Assert.Equal(cases.Length, answers.Length);
        return [.. cases.Zip(answers, (item, answer) => (item.Name, item.Context, JsonNode.Parse(answer)!))];
    }

    private static (string? Output, ChatTemplateException? Error) Render(string source, JsonObject context)
    {
        var variables = context.DeepClone().AsObject();
        try
        {
            return (Parsed(source).Render(new ChatTemplateContext
            {
                Messages = context["messages"]!,
                Tools = context["tools"],
                Variables = variables,
                Clock = new FixedClock(),
            }), null);
        }
        catch (ChatTemplateException e)
        {
            return (null, e);
        }
    }

    private static readonly Dictionary<string, ChatTemplate> Cache = [];

    private static ChatTemplate Parsed(string source)
    {
        lock (Cache)
        {
            return Cache.TryGetValue(source, out var template) ? template : Cache[source] = ChatTemplate.Parse(source);
        }
    }

    /// <summary>The time that the script has, too.</summary>
    private sealed class FixedClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(2024, 7, 26, 9, 5, 3, TimeSpan.Zero);
    }
}
