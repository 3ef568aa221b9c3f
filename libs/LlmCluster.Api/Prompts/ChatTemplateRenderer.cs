using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;
using LlmCluster.Inference.ChatTemplates;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Api.Prompts;

/// <summary>Turns conversations into prompts with the model's own templates.</summary>
public sealed class ChatTemplateRenderer
{
    // Some models have a template of their own for conversations with tools, under this name.
    private const string ToolTemplate = "tool_use";

    private readonly ChatTemplate _template;
    private readonly ChatTemplate? _toolTemplate;
    private readonly TokenizerConfig _config;

    private ChatTemplateRenderer(ChatTemplate template, ChatTemplate? toolTemplate, TokenizerConfig config)
    {
        _template = template;
        _toolTemplate = toolTemplate;
        _config = config;
    }

    /// <summary>The renderer of a model, or null when it has no chat template.</summary>
    /// <exception cref="ChatTemplateException">A template is malformed.</exception>
    public static ChatTemplateRenderer? Create(TokenizerConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.ChatTemplate is { } source
            ? new ChatTemplateRenderer(
                ChatTemplate.Parse(source),
                config.ChatTemplates.TryGetValue(ToolTemplate, out string? tools) ? ChatTemplate.Parse(tools) : null,
                config)
            : null;
    }

    /// <summary>The prompt's text, special tokens written out in it.</summary>
    /// <exception cref="ApiException">The template refuses the messages.</exception>
    public string Render(ChatPrompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        ChatTemplate template = prompt.Tools is not null && _toolTemplate is not null ? _toolTemplate : _template;
        try
        {
            return template.Render(new ChatTemplateContext
            {
                Messages = prompt.Messages,
                Tools = prompt.Tools,
                AddGenerationPrompt = prompt.AddGenerationPrompt,
                BosToken = _config.BosToken,
                EosToken = _config.EosToken,
                Variables = prompt.TemplateArguments,
            });
        }
        catch (ChatTemplateException e)
        {
            string message = e.RaisedByTemplate ? $"The model's chat template refused the messages: {e.Reason}" : $"The model's chat template failed on the messages: {e.Message}";
            throw ApiError.Invalid(message, "messages", ApiErrorCodes.ChatTemplate).ToException(e);
        }
    }
}
