using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Models;
using Xunit;

namespace LlmCluster.Tests.Interop.OpenAi;

/// <summary>The official client for .NET against a running cluster.</summary>
[Collection(ClusterCollection.Name)]
public sealed class DotNetClientTests(ClusterFixture cluster)
{
    private static readonly ChatMessage[] Messages = [new SystemChatMessage("You are brief."), new UserChatMessage("Tell me of the sea.")];

    private ChatClient Chat => new(cluster.Model, new ApiKeyCredential("none"), Options);

    private OpenAIClientOptions Options => new() { Endpoint = cluster.Base, RetryPolicy = new ClientRetryPolicy(maxRetries: 0), NetworkTimeout = TimeSpan.FromMinutes(1) };

    [Fact]
    public async Task Chats()
    {
        ChatCompletion answer = await Chat.CompleteChatAsync(Messages, Greedy(16));

        Assert.Equal(cluster.Model, answer.Model);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.StartsWith("chatcmpl-", answer.Id, StringComparison.Ordinal);
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.InRange(answer.Usage.OutputTokenCount, 1, 16);
        Assert.Equal(answer.Usage.TotalTokenCount, answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount);
        Assert.Contains(answer.FinishReason, new[] { ChatFinishReason.Length, ChatFinishReason.Stop });
        Assert.InRange(answer.CreatedAt, DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(5));
    }

    [Fact]
    public async Task Streams_what_it_would_answer_whole()
    {
        ChatCompletion whole = await Chat.CompleteChatAsync(Messages, Greedy(24));

        string text = "";
        ChatFinishReason? reason = null;
        ChatTokenUsage? usage = null;
        await foreach (StreamingChatCompletionUpdate update in Chat.CompleteChatStreamingAsync(Messages, Greedy(24)))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            reason ??= update.FinishReason;
            usage ??= update.Usage;
        }

        Assert.Equal(whole.Content[0].Text, text);
        Assert.Equal(whole.FinishReason, reason);
        Assert.Equal((whole.Usage.InputTokenCount, whole.Usage.OutputTokenCount), (usage!.InputTokenCount, usage.OutputTokenCount));
    }

    [Fact]
    public async Task Reports_log_probabilities()
    {
        ChatCompletionOptions options = Greedy(8);
        options.IncludeLogProbabilities = true;
        options.TopLogProbabilityCount = 3;

        ChatCompletion answer = await Chat.CompleteChatAsync(Messages, options);

        Assert.NotEmpty(answer.ContentTokenLogProbabilities);
        Assert.All(answer.ContentTokenLogProbabilities, token =>
        {
            Assert.Equal(3, token.TopLogProbabilities.Count);
            Assert.Equal(token.LogProbability, token.TopLogProbabilities[0].LogProbability);
            Assert.False(token.Utf8Bytes!.Value.IsEmpty);
        });
    }

    [Fact]
    public async Task Repeats_itself_with_the_same_seed()
    {
        string first = await SampleAsync(5);

        Assert.Equal(first, await SampleAsync(5));
        Assert.NotEqual(first, await SampleAsync(6));
    }

    [Fact]
    public async Task Ends_at_stop_strings()
    {
        string full = (await Chat.CompleteChatAsync(Messages, Greedy(40))).Value.Content[0].Text;
        string stop = full.Substring(full.Length / 2, 2);
        ChatCompletionOptions options = Greedy(40);
        options.StopSequences.Add(stop);

        ChatCompletion stopped = await Chat.CompleteChatAsync(Messages, options);

        Assert.Equal(full[..full.IndexOf(stop, StringComparison.Ordinal)], string.Concat(stopped.Content.Select(part => part.Text)));
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
    }

    [Fact]
    public async Task Asks_for_several_choices()
    {
        // The client has no property for n, but sends what it is given.
        JsonElement answer = await PostAsync("/chat/completions", new
        {
            model = cluster.Model,
            messages = new[] { new { role = "user", content = "Tell me of the sea." } },
            n = 3,
            seed = 11,
            max_tokens = 16,
            temperature = 1,
        });

        string?[] texts = [.. answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("message").GetProperty("content").GetString())];
        Assert.Equal(3, texts.Distinct().Count());
    }

    [Fact]
    public async Task Completes_prompts()
    {
        // The client has no class for this endpoint any more; its pipeline still speaks to it.
        JsonElement answer = await PostAsync("/completions", new { model = cluster.Model, prompt = "The sea is", max_tokens = 9, temperature = 0, ignore_eos = true, logprobs = 2 });

        JsonElement choice = answer.GetProperty("choices")[0];
        Assert.NotEmpty(choice.GetProperty("text").GetString()!);
        Assert.Equal("length", choice.GetProperty("finish_reason").GetString());
        Assert.Equal(9, choice.GetProperty("logprobs").GetProperty("tokens").GetArrayLength());
    }

    [Fact]
    public async Task Lists_models()
    {
        var models = new OpenAIModelClient(new ApiKeyCredential("none"), Options);

        OpenAIModelCollection list = await models.GetModelsAsync();
        OpenAIModel model = await models.GetModelAsync(cluster.Model);

        Assert.Equal(cluster.Model, Assert.Single(list).Id);
        Assert.Equal(cluster.Model, model.Id);
    }

    [Fact]
    public async Task Is_told_of_errors()
    {
        var unknown = new ChatClient("gpt-4", new ApiKeyCredential("none"), Options);
        ClientResultException notFound = await Assert.ThrowsAsync<ClientResultException>(() => unknown.CompleteChatAsync(Messages));
        Assert.Equal(404, notFound.Status);
        Assert.Contains("model_not_found", notFound.Message, StringComparison.Ordinal);

        ClientResultException hot = await Assert.ThrowsAsync<ClientResultException>(() => Chat.CompleteChatAsync(Messages, new ChatCompletionOptions { Temperature = 9 }));
        Assert.Equal(400, hot.Status);
        Assert.Contains("temperature", hot.Message, StringComparison.Ordinal);

        ClientResultException negative = await Assert.ThrowsAsync<ClientResultException>(async () =>
        {
            await foreach (StreamingChatCompletionUpdate _ in Chat.CompleteChatStreamingAsync(Messages, new ChatCompletionOptions { MaxOutputTokenCount = -1 }))
            {
            }
        });
        Assert.Equal(400, negative.Status);

        ClientResultException image = await Assert.ThrowsAsync<ClientResultException>(() => Chat.CompleteChatAsync(
            [new UserChatMessage(ChatMessageContentPart.CreateImagePart(new Uri("http://127.0.0.1/cat.png")))]));
        Assert.Equal(400, image.Status);
        Assert.Contains("image_url", image.Message, StringComparison.Ordinal);
    }

    private static ChatCompletionOptions Greedy(int tokens) => new() { Temperature = 0, MaxOutputTokenCount = tokens };

    private async Task<string> SampleAsync(long seed)
    {
#pragma warning disable OPENAI001 // The client's property for the seed is marked as experimental.
        ChatCompletion answer = await Chat.CompleteChatAsync(Messages, new ChatCompletionOptions { Temperature = 1.2f, MaxOutputTokenCount = 24, Seed = seed });
#pragma warning restore OPENAI001
        return answer.Content[0].Text;
    }

    private async Task<JsonElement> PostAsync(string path, object body)
    {
        var client = new OpenAIClient(new ApiKeyCredential("none"), Options);
        using PipelineMessage message = client.Pipeline.CreateMessage();
        message.Request.Method = "POST";
        message.Request.Uri = new Uri(cluster.Base + path);
        message.Request.Headers.Set("Content-Type", "application/json");
        message.Request.Content = BinaryContent.Create(BinaryData.FromObjectAsJson(body));
        await client.Pipeline.SendAsync(message);
        Assert.Equal(200, message.Response!.Status);
        return message.Response.Content.ToObjectFromJson<JsonElement>();
    }
}
