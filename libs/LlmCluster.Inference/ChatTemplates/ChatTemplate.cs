using LlmCluster.Inference.ChatTemplates.Nodes;
using LlmCluster.Inference.ChatTemplates.Runtime;
using LlmCluster.Inference.ChatTemplates.Syntax;

namespace LlmCluster.Inference.ChatTemplates;

/// <summary>
/// A chat template in Jinja, as model repositories have them. The language is Jinja 2 as the reference library sets it up:
/// <c>trim_blocks</c> and <c>lstrip_blocks</c>, loop controls, the <c>generation</c> block, <c>tojson</c> without escaping,
/// <c>raise_exception</c> and <c>strftime_now</c>, and no way to change what was passed in. Values behave as in Python.
/// <c>include</c>, <c>import</c>, <c>extends</c> and <c>recursive</c> loops are not there. Parsed once; rendering is safe
/// from several threads.
/// </summary>
public sealed class ChatTemplate
{
    private readonly Block _body;

    private ChatTemplate(string source, Block body)
    {
        Source = source;
        _body = body;
    }

    /// <summary>The template's text.</summary>
    public string Source { get; }

    /// <summary>Parses a template.</summary>
    /// <exception cref="ChatTemplateException">The template is malformed.</exception>
    public static ChatTemplate Parse(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return new ChatTemplate(source, TemplateParser.Parse(source));
    }

    /// <summary>Renders a conversation.</summary>
    /// <exception cref="ChatTemplateException">
    /// The template refused the conversation (<see cref="ChatTemplateException.RaisedByTemplate"/>), met a value that it
    /// can't work with, or passed a limit.
    /// </exception>
    public string Render(ChatTemplateContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var state = new RenderState(context.Limits, context.Clock);
        var scope = new Scope(state, parent: Globals.Create(state));
        scope.Set("messages", JsonValues.ToValue(context.Messages));
        scope.Set("tools", JsonValues.ToValue(context.Tools));
        scope.Set("documents", JsonValues.ToValue(context.Documents));
        scope.Set("add_generation_prompt", context.AddGenerationPrompt);
        if (context.BosToken is { } bos)
        {
            scope.Set("bos_token", bos);
        }

        if (context.EosToken is { } eos)
        {
            scope.Set("eos_token", eos);
        }

        foreach (var (name, value) in context.Variables ?? [])
        {
            scope.Set(name, JsonValues.ToValue(value));
        }

        _body.Execute(scope);
        return state.Output.ToString();
    }
}
