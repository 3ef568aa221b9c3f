using System.Buffers;
using System.Text;
using System.Text.Json;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;
using Xunit;

namespace LlmCluster.Tests.Unit.Api;

public sealed class AnswerWriterTests
{
    private static readonly Usage Usage = new(5, 3, 2);
    private readonly ArrayBufferWriter<byte> _output = new();

    private string Written => Encoding.UTF8.GetString(_output.WrittenSpan);

    [Fact]
    public void Writes_a_completion()
    {
        using AnswerWriter writer = Create(AnswerKind.Completion, new AnswerOptions());
        writer.WriteWhole(_output, [new Choice(0, "é\"\n😀", [Token(7)], FinishReason.Length)], Usage);

        Assert.Equal(
            """
            {"id":"id-1","object":"text_completion","created":1700000000,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"text":"é\"\n😀","logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":2}}}
            """,
            Normalised(Written));
    }

    [Fact]
    public void Writes_a_chat_answer()
    {
        using AnswerWriter writer = Create(AnswerKind.Chat, new AnswerOptions { ReturnTokenIds = true });
        writer.WriteWhole(_output, [new Choice(0, "Hi", [Token(7), Token(8)], FinishReason.Stop)], Usage);

        Assert.Equal(
            """
            {"id":"id-1","object":"chat.completion","created":1700000000,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},"logprobs":null,"token_ids":[7,8],"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":2}}}
            """,
            Written);
    }

    [Fact]
    public void Streams_a_chat_answer()
    {
        using AnswerWriter writer = Create(AnswerKind.Chat, new AnswerOptions { Stream = true, IncludeUsage = true });
        writer.WriteDelta(_output, 0, true, new TextDelta("Hi", [Token(7)], FinishReason.None));
        writer.WriteDelta(_output, 0, false, new TextDelta("", [Token(8)], FinishReason.None));
        writer.WriteDelta(_output, 0, false, new TextDelta("!", [Token(9)], FinishReason.Stop));
        writer.WriteEnd(_output, Usage);

        const string Head = """data: {"id":"id-1","object":"chat.completion.chunk","created":1700000000,"model":"m","system_fingerprint":"fp","choices":[""";
        Assert.Equal(
            [
                Head + """{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}""",
                Head + """{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}],"usage":null}""",
                Head + """{"index":0,"delta":{"content":"!"},"logprobs":null,"finish_reason":null}],"usage":null}""",
                Head + """{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}""",
                Head + """],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":2}}}""",
                "data: [DONE]",
            ],
            Events());
    }

    [Fact]
    public void Streams_a_completion()
    {
        using AnswerWriter writer = Create(AnswerKind.Completion, new AnswerOptions { Stream = true, ReturnTokenIds = true });
        writer.WriteDelta(_output, 1, true, new TextDelta("", [Token(7)], FinishReason.None));
        writer.WriteDelta(_output, 1, false, new TextDelta("ab", [Token(8)], FinishReason.Length));
        writer.WriteEnd(_output, Usage);

        const string Head = """data: {"id":"id-1","object":"text_completion","created":1700000000,"model":"m","system_fingerprint":"fp","choices":[""";
        Assert.Equal(
            [
                Head + """{"index":1,"text":"","logprobs":null,"token_ids":[7],"finish_reason":null}]}""",
                Head + """{"index":1,"text":"ab","logprobs":null,"token_ids":[8],"finish_reason":"length"}]}""",
                "data: [DONE]",
            ],
            Events());
    }

    [Fact]
    public void Writes_log_probabilities_of_completions()
    {
        OutputToken first = Token(7) with
        {
            Text = "a",
            Logprob = -0.5f,
            Top = [new TopToken(1, "b", [98], -0.25f), new TopToken(2, "\uFFFD", [200], -1), new TopToken(3, "\uFFFD", [201], -2)],
        };
        OutputToken second = Token(8) with { Text = "c", TextOffset = 1, Logprob = float.NegativeInfinity, Top = [] };
        OutputToken stop = Token(9) with { IsStop = true, TextOffset = 2, Text = "</s>", Logprob = -1 };
        using AnswerWriter writer = Create(AnswerKind.Completion, new AnswerOptions { TopLogprobs = 3 });
        writer.WriteWhole(_output, [new Choice(0, "ac", [first, second, stop], FinishReason.Stop)], Usage);

        Assert.Equal(
            """{"tokens":["a","c"],"token_logprobs":[-0.5,-9999],"top_logprobs":[{"b":-0.25,"\uFFFD":-1,"a":-0.5},{"c":-9999}],"text_offset":[0,1]}""",
            Element("logprobs").GetRawText().Replace("\uFFFD", "\\uFFFD", StringComparison.Ordinal));
    }

    [Fact]
    public void Writes_log_probabilities_of_chat_answers()
    {
        OutputToken token = Token(7) with { Text = "é", Bytes = [195, 169], Logprob = -0.5f, Top = [new TopToken(1, "b", [98], -0.25f)] };
        using AnswerWriter writer = Create(AnswerKind.Chat, new AnswerOptions { TopLogprobs = 1 });
        writer.WriteWhole(_output, [new Choice(0, "é", [token], FinishReason.Length)], Usage);

        Assert.Equal(
            """{"content":[{"token":"é","logprob":-0.5,"bytes":[195,169],"top_logprobs":[{"token":"b","logprob":-0.25,"bytes":[98]}]}],"refusal":null}""",
            Element("logprobs").GetRawText());
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public void Lists_the_stop_token_for_who_wants_ids(bool returnTokenIds, int expected)
    {
        OutputToken stop = Token(9) with { IsStop = true, Logprob = -1 };
        using AnswerWriter writer = Create(AnswerKind.Chat, new AnswerOptions { TopLogprobs = 0, ReturnTokenIds = returnTokenIds });
        writer.WriteWhole(_output, [new Choice(0, "a", [Token(7) with { Logprob = -1 }, stop], FinishReason.Stop)], Usage);

        Assert.Equal(expected, Element("logprobs").GetProperty("content").GetArrayLength());
    }

    [Fact]
    public void Writes_errors_in_their_shape()
    {
        ApiError error = ApiError.Invalid("No \"good\"", "messages.1.content", ApiErrorCodes.InvalidType);

        Assert.Equal(
            """{"error":{"message":"No \"good\"","type":"invalid_request_error","param":"messages.1.content","code":"invalid_type"}}""",
            Encoding.UTF8.GetString(ApiErrorWriter.ToJson(error)));
        Assert.Equal(
            "data: {\"error\":{\"message\":\"Late\",\"type\":\"server_error\",\"param\":null,\"code\":\"timeout\"}}\n\n",
            Encoding.UTF8.GetString(ApiErrorWriter.ToEvent(ApiError.Timeout("Late"))));
    }

    [Theory]
    [InlineData(GenerationError.InvalidRequest, 400)]
    [InlineData(GenerationError.Overloaded, 503)]
    [InlineData(GenerationError.DeadlineExceeded, 504)]
    [InlineData(GenerationError.Unavailable, 503)]
    [InlineData(GenerationError.Internal, 500)]
    public void Maps_failures_of_sequences(GenerationError kind, int status)
    {
        ApiError error = new GenerationException(kind, "why").ToApiError();

        Assert.Equal((status, "why"), (error.Status, error.Message));
    }

    [Fact]
    public async Task Hands_requests_to_workers_whole()
    {
        var request = new GenerateRequest
        {
            RequestId = "r",
            Answer = new AnswerHeader("id", AnswerKind.Chat, "m", 5, "fp"),
            Options = new AnswerOptions { Stream = true, Stop = ["x"], TopLogprobs = 3 },
            Sequences = [new GenerateSequence(0, 0, ulong.MaxValue, 9)],
            Local = new LocalGeneration
            {
                Prompts = [[1, 2]],
                Sampling = new() { Temperature = 0.1f, LogitBias = new Dictionary<int, float> { [5] = -100 } },
                StopTokenIds = [4],
            },
        };

        GenerateRequest read = await GenerateJson.ReadAsync(new MemoryStream(GenerateJson.Write(request)), default);

        Assert.Equivalent(request, read, strict: true);
        GenerationRequest generation = read.Local!.ToGeneration(read.RequestId, read.Sequences[0]);
        Assert.Equal((ulong.MaxValue, 0.1f, 9, "r/0"), (generation.Sampling.Seed, generation.Sampling.Temperature, generation.MaxTokens, generation.Id));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"request_id":"r","answer":{"id":"i","kind":"Chat","model":"m","created":1},"sequences":[]}""")]
    [InlineData("""{"request_id":"r","answer":{"id":"i","kind":"Chat","model":"m","created":1},"sequences":[{"index":1,"prompt":0,"seed":0,"max_tokens":1}]}""")]
    public async Task Refuses_what_no_gateway_sends(string body)
    {
        ApiException e = await Assert.ThrowsAsync<ApiException>(async () => await GenerateJson.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(body)), default));

        Assert.Equal(400, e.Error.Status);
    }

    private static AnswerWriter Create(AnswerKind kind, AnswerOptions options) =>
        AnswerWriter.Create(new AnswerHeader("id-1", kind, "m", 1700000000, "fp"), options);

    private static OutputToken Token(int id) => new(id, 0, false, null, "", [], null);

    // The writer may escape characters beyond the basic plane; that is the same JSON.
    private static string Normalised(string json) => json.Replace("\\uD83D\\uDE00", "😀", StringComparison.Ordinal);

    private JsonElement Element(string name) => JsonElement.Parse(_output.WrittenSpan).GetProperty("choices")[0].GetProperty(name);

    private string[] Events()
    {
        Assert.EndsWith("\n\n", Written, StringComparison.Ordinal);
        return Written[..^2].Split("\n\n");
    }
}
