using LlmCluster.Api.Errors;
using LlmCluster.Api.Prompts;
using LlmCluster.Api.Requests;

namespace LlmCluster.Gateway.Models;

/// <summary>Turns what clients send into token ids and checks their number.</summary>
internal sealed class PromptEncoder(ServedModel model)
{
    /// <summary>Token ids of each prompt.</summary>
    /// <exception cref="ApiException">A prompt is too long, or empty.</exception>
    public int[][] Encode(CompletionRequest request, int contextLength)
    {
        var prompts = new int[request.Prompts.Count][];
        for (int i = 0; i < prompts.Length; i++)
        {
            PromptInput prompt = request.Prompts[i];
            prompts[i] = prompt.Tokens ?? model.Tokenizer.Encode(prompt.Text!, request.Parameters.AddSpecialTokens);
            Check(prompts[i], contextLength, "prompt");
        }

        return prompts;
    }

    /// <summary>Token ids of the conversation.</summary>
    /// <exception cref="ApiException">The conversation is too long, or the template refuses it.</exception>
    public int[] Encode(ChatCompletionRequest request, int contextLength)
    {
        int[] prompt = Encode(request.Prompt, request.Parameters.AddSpecialTokens);
        Check(prompt, contextLength, "messages");
        return prompt;
    }

    /// <summary>Token ids of a conversation, whatever their number.</summary>
    /// <exception cref="ApiException">The model has no chat template, or it refuses the messages.</exception>
    public int[] Encode(ChatPrompt prompt, bool addSpecialTokens)
    {
        ChatTemplateRenderer renderer = model.Prompts
            ?? throw ApiError.Invalid($"The model '{model.Name}' has no chat template; use /v1/completions.", "messages", ApiErrorCodes.ChatTemplate).ToException();
        return model.Tokenizer.Encode(renderer.Render(prompt), addSpecialTokens);
    }

    private void Check(int[] prompt, int contextLength, string param)
    {
        if (prompt.Length == 0)
        {
            throw ApiError.Invalid($"Invalid '{param}': it has no tokens.", param, ApiErrorCodes.Empty).ToException();
        }

        if (prompt.Length >= contextLength)
        {
            throw ApiError.ContextLengthExceeded(contextLength, prompt.Length, param).ToException();
        }

        // The tokenizer may know tokens that the model has no embedding for.
        int vocabSize = model.Settings.Config.VocabSize;
        int wrong = Array.FindIndex(prompt, id => (uint)id >= (uint)vocabSize);
        if (wrong >= 0)
        {
            throw ApiError.Invalid($"Invalid '{param}': token {prompt[wrong]} is not in the model's vocabulary of {vocabSize} tokens.", param, ApiErrorCodes.InvalidValue).ToException();
        }
    }
}
