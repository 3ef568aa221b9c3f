using LlmCluster.Api.Errors;
using LlmCluster.Api.Prompts;
using LlmCluster.Evaluation.HeldOut;
using LlmCluster.Inference.ChatTemplates;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Evaluation.Running;

/// <summary>Turns conversations into token ids as the gateway does: with the model's chat template, which writes the special tokens itself.</summary>
internal sealed class ConversationEncoder
{
    private readonly Tokenizer _tokenizer;
    private readonly ModelConfig _model;
    private readonly ChatTemplateRenderer _renderer;

    /// <exception cref="EvaluationException">The model has no chat template, or a malformed one.</exception>
    public ConversationEncoder(string directory, Tokenizer tokenizer, ModelConfig model)
    {
        _tokenizer = tokenizer;
        _model = model;
        try
        {
            _renderer = ChatTemplateRenderer.Create(tokenizer.Config)
                ?? throw new EvaluationException($"{directory}: the model has no chat template; expected one in tokenizer_config.json or chat_template.jinja.");
        }
        catch (ChatTemplateException e)
        {
            throw new EvaluationException($"{directory}: {e.Message}", e);
        }
    }

    /// <exception cref="EvaluationException">The template refuses the conversation, or the model can't take it.</exception>
    public EncodedConversation Encode(HeldOutConversation conversation)
    {
        int[] prompt = _tokenizer.Encode(Render(conversation), addSpecialTokens: false);
        if (prompt.Length == 0)
        {
            throw new EvaluationException($"{conversation.Location}: the prompt has no tokens.");
        }

        if (prompt.Length >= _model.MaxPositions)
        {
            throw new EvaluationException(
                $"{conversation.Location}: the prompt has {prompt.Length} tokens; the model's context is {_model.MaxPositions} tokens, of which the answer needs at least one.");
        }

        // The tokenizer may know tokens that the model has no embedding for.
        int wrong = Array.FindIndex(prompt, id => (uint)id >= (uint)_model.VocabSize);
        return wrong < 0
            ? new EncodedConversation(conversation, prompt)
            : throw new EvaluationException(
                $"{conversation.Location}: token {prompt[wrong]} of the prompt is not in the model's vocabulary of {_model.VocabSize} tokens.");
    }

    private string Render(HeldOutConversation conversation)
    {
        try
        {
            return _renderer.Render(conversation.Prompt);
        }
        catch (ApiException e)
        {
            throw new EvaluationException($"{conversation.Location}: {e.Message}", e);
        }
    }
}
