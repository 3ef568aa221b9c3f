using System.Text.Json.Nodes;
using LlmCluster.Inference.ChatTemplates;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.ChatTemplates;

/// <summary>Templates, and what Jinja 2 in Python makes of them; <c>jinja-cases.py</c> wrote the file.</summary>
public class JinjaCasesTests
{
    private static readonly Lazy<JsonObject> File = new(() => JsonNode.Parse(
        System.IO.File.ReadAllText(RepositoryRoot.Combine("tests", "Unit", "ChatTemplates", "jinja-cases.json")))!.AsObject());

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, File.Value["cases"]!.AsArray().Count)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Templates_render_as_in_python(int index)
    {
        var item = File.Value["cases"]![index]!;
        string template = item["template"]!.GetValue<string>();
        if (item["output"] is { } expected)
        {
            Assert.Equal((template, expected.GetValue<string>()), (template, Render(template)));
        }
        else
        {
            var error = Assert.Throws<ChatTemplateException>(() => Render(template));
            Assert.True(error.Line >= 1);
        }
    }

    private static string Render(string template)
    {
        var context = File.Value["context"]!.DeepClone().AsObject();
        return ChatTemplate.Parse(template).Render(new ChatTemplateContext
        {
            Messages = context["messages"]!.DeepClone(),
            AddGenerationPrompt = false,
            Variables = context,
        });
    }
}
