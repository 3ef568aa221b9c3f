using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Prompts;
using LlmCluster.Api.Requests;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Evaluation.Perplexity;

/// <summary>
/// Reads conversations and marks what the assistant says: what stands in the rendered conversation after the prompt that asks for it, up to
/// the end of the message. An <c>answer</c> beside the messages, as held-out conversations have it, is what the assistant says last.
/// </summary>
internal sealed class ScoredConversationReader(ChatTemplateRenderer renderer, Tokenizer tokenizer, ModelConfig model)
{
    /// <summary>Reads a file of one JSON object a line; empty lines are skipped.</summary>
    /// <exception cref="EvaluationException">The file is missing, empty or malformed; the message names file and line.</exception>
    public List<ScoredConversation> Read(string path, int? limit)
    {
        if (!File.Exists(path))
        {
            throw new EvaluationException($"{path} does not exist; expected a file of conversations, one JSON object with 'messages' a line.");
        }

        var conversations = new List<ScoredConversation>();
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (conversations.Count == limit)
            {
                break;
            }

            if (!string.IsNullOrWhiteSpace(line))
            {
                conversations.Add(ReadLine(line, $"{path}, line {number}"));
            }
        }

        return conversations.Count > 0 ? conversations : throw new EvaluationException($"{path} holds no conversation.");
    }

    private ScoredConversation ReadLine(string line, string location)
    {
        try
        {
            var root = new RequestField(JsonElement.Parse(line), "");
            return Mark(ReadConversation(root), location);
        }
        catch (JsonException e)
        {
            throw new EvaluationException($"{location}: not valid JSON at byte {(e.BytePositionInLine ?? 0) + 1}.", e);
        }
        catch (ApiException e)
        {
            throw new EvaluationException($"{location}: {e.Message}", e);
        }
    }

    private static ChatPrompt ReadConversation(RequestField root)
    {
        ChatPrompt conversation = ChatPrompt.Read(root);
        RequestField answer = root["answer"];
        return answer.IsPresent
            ? conversation with { Messages = With(conversation.Messages, answer.String()) }
            : conversation;
    }

    private static JsonArray With(JsonArray messages, string? answer)
    {
        var result = (JsonArray)messages.DeepClone();
        result.Add(new JsonObject { ["role"] = "assistant", ["content"] = answer });
        return result;
    }

    private ScoredConversation Mark(ChatPrompt conversation, string location)
    {
        int[] tokens = [];
        var said = new List<Range>();
        for (int i = 0; i < conversation.Messages.Count; i++)
        {
            if ((string?)conversation.Messages[i]!["role"] != "assistant")
            {
                continue;
            }

            int[] prompt = Encode(conversation, i, asks: true);
            tokens = Encode(conversation, i + 1, asks: false);
            if (prompt.Length == 0 || prompt.Length >= tokens.Length || !tokens.AsSpan().StartsWith(prompt))
            {
                throw new EvaluationException(
                    $"{location}: the model's chat template renders message {i} differently from how it asks for it, so that what the assistant says can't be told apart.");
            }

            said.Add(prompt.Length..tokens.Length);
        }

        if (said.Count == 0)
        {
            throw new EvaluationException($"{location}: the assistant says nothing; expected a message with the role 'assistant'.");
        }

        return tokens.Length <= model.MaxPositions
            ? new ScoredConversation(tokens, said)
            : throw new EvaluationException($"{location}: the conversation has {tokens.Length} tokens; the model's context is {model.MaxPositions}.");
    }

    private int[] Encode(ChatPrompt conversation, int messages, bool asks)
    {
        var part = new JsonArray([.. conversation.Messages.Take(messages).Select(message => message!.DeepClone())]);
        return tokenizer.Encode(renderer.Render(conversation with { Messages = part, AddGenerationPrompt = asks }), addSpecialTokens: false);
    }
}
