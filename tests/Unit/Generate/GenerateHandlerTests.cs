using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Worker.Generate;
using LlmCluster.Worker.Sequences;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmCluster.Tests.Unit.Generate;

public sealed class GenerateHandlerTests
{
    private readonly ScriptedSource _source = new();
    private readonly DefaultHttpContext _context = new() { Response = { Body = new MemoryStream() } };

    private string Body => Encoding.UTF8.GetString(((MemoryStream)_context.Response.Body).ToArray());

    [Fact]
    public async Task Answers_with_all_choices()
    {
        await AnswerAsync(Request(new AnswerOptions { ReturnTokenIds = true }, choices: 2, "ab", "c"));

        JsonElement answer = JsonElement.Parse(Body);
        Assert.Equal(["ab", "c"], answer.GetProperty("choices").EnumerateArray().Select(c => c.GetProperty("message").GetProperty("content").GetString()));
        Assert.Equal("""[97,98]""", answer.GetProperty("choices")[0].GetProperty("token_ids").GetRawText());
        Assert.Equal("""{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":1}}""", answer.GetProperty("usage").GetRawText());
        Assert.Equal(0, _source.Live);
    }

    [Fact]
    public async Task Streams_all_choices()
    {
        await AnswerAsync(Request(new AnswerOptions { Stream = true, IncludeUsage = true }, choices: 2, "ab", "cd"));

        List<JsonElement> events = [.. Events()];
        string[] texts = [.. Enumerable.Range(0, 2).Select(i => string.Concat(events
            .SelectMany(e => e.GetProperty("choices").EnumerateArray())
            .Where(c => c.GetProperty("index").GetInt32() == i)
            .Select(c => c.GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")))];
        Assert.Equal(["ab", "cd"], texts);
        Assert.Equal(4, events[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.EndsWith("data: [DONE]\n\n", Body, StringComparison.Ordinal);
        Assert.StartsWith("text/event-stream", _context.Response.ContentType, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ends_at_stop_strings()
    {
        await AnswerAsync(Request(new AnswerOptions { Stop = ["cd"] }, choices: 1, "abcdef"));

        JsonElement choice = JsonElement.Parse(Body).GetProperty("choices")[0];
        Assert.Equal(("ab", "stop"), (choice.GetProperty("message").GetProperty("content").GetString(), choice.GetProperty("finish_reason").GetString()));
        Assert.Equal(0, _source.Live);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Fails_with_a_status_before_the_first_token(bool stream)
    {
        _source.Failure = new GenerationException(GenerationError.DeadlineExceeded, "Too late.");

        var e = await Assert.ThrowsAsync<ApiException>(() => AnswerAsync(Request(new AnswerOptions { Stream = stream }, choices: 3, "", "", "")));

        Assert.Equal((504, "Too late."), (e.Error.Status, e.Error.Message));
        Assert.Equal("", Body);
        Assert.Equal(0, _source.Live);
    }

    [Fact]
    public async Task Ends_every_choice_when_one_fails()
    {
        _source.Failure = new GenerationException(GenerationError.Unavailable, "Lost.");
        _source.FailingIndex = 1;

        await Assert.ThrowsAsync<ApiException>(() => AnswerAsync(Request(new AnswerOptions(), choices: 3, "a…", "b", "c…")));

        // Those that had not been opened yet never are.
        Assert.Equal(0, _source.Live);
        Assert.InRange(_source.Disposed, 1, 3);
    }

    [Fact]
    public async Task Disposes_of_every_choice_when_the_client_hangs_up()
    {
        using var hangUp = new CancellationTokenSource();
        Task answer = AnswerAsync(Request(new AnswerOptions { Stream = true }, choices: 2, "a…", "b…"), hangUp.Token);
        await Testing.Eventually.TrueAsync(() => _source.Live == 2);

        await hangUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        Assert.Equal((0, 2), (_source.Live, _source.Disposed));
    }

    private Task AnswerAsync(GenerateRequest request, CancellationToken cancellationToken = default) =>
        new GenerateHandler(_source, new LetterTokenizer(), NullLogger<GenerateHandler>.Instance).AnswerAsync(_context.Response, request, cancellationToken);

    private GenerateRequest Request(AnswerOptions options, int choices, params string[] texts)
    {
        _source.Texts = texts;
        return new GenerateRequest
        {
            RequestId = "r",
            Answer = new AnswerHeader("id", AnswerKind.Chat, "m", 1),
            Options = options,
            Sequences = [.. Enumerable.Range(0, choices).Select(i => new GenerateSequence(i, 0, 0, 10))],
        };
    }

    private IEnumerable<JsonElement> Events() =>
        Body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(e => e["data: ".Length..]).Where(e => e != "[DONE]").Select(e => JsonElement.Parse(e));

    /// <summary>Hands out sequences that generate given letters; those that end with '…' then hang.</summary>
    private sealed class ScriptedSource : ISequenceSource
    {
        private int _live;
        private int _disposed;

        public string[] Texts { get; set; } = [];

        public GenerationException? Failure { get; set; }

        public int? FailingIndex { get; set; }

        public int Live => Volatile.Read(ref _live);

        public int Disposed => Volatile.Read(ref _disposed);

        public ValueTask<IGeneration> StartAsync(GenerationRequest request, Uri? fetchEndpoint, CancellationToken cancellationToken) => throw new InvalidOperationException("Nothing is local here.");

        public ValueTask<IGeneration> ReceiveAsync(string requestId, int index, CancellationToken cancellationToken)
        {
            if (Failure is not null && FailingIndex is null)
            {
                throw Failure;
            }

            Interlocked.Increment(ref _live);
            return ValueTask.FromResult<IGeneration>(new Script(this, index));
        }

        private sealed class Script(ScriptedSource source, int index) : IGeneration
        {
            private int _isDisposed;

            public GenerationRequest Request { get; } = new() { Id = "r", Prompt = [1, 2, 3], Sampling = new(), MaxTokens = 10 };

            public int CachedTokens => 1;

            public async IAsyncEnumerable<GeneratedToken> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
            {
                string text = source.Texts[index];
                for (int i = 0; i < text.Length; i++)
                {
                    if (index == source.FailingIndex)
                    {
                        throw source.Failure!;
                    }

                    if (text[i] == '…')
                    {
                        await Task.Delay(Timeout.Infinite, cancellationToken);
                    }

                    yield return new GeneratedToken(text[i], i == text.Length - 1 ? FinishReason.Length : FinishReason.None);
                }
            }

            public ValueTask DisposeAsync()
            {
                if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
                {
                    Interlocked.Decrement(ref source._live);
                    Interlocked.Increment(ref source._disposed);
                }

                return ValueTask.CompletedTask;
            }
        }
    }

    /// <summary>One token a letter.</summary>
    private sealed class LetterTokenizer : ITokenizer
    {
        public int VocabSize => char.MaxValue;

        public int? BosTokenId => null;

        public int? EosTokenId => null;

        public int[] Encode(string text, bool addSpecialTokens = true) => [.. text.Select(c => (int)c)];

        public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true) => string.Concat(ids.ToArray().Select(i => (char)i));

        public IIncrementalDetokenizer CreateDetokenizer(bool skipSpecialTokens = true) => new Letters();

        public byte[] TokenBytes(int id) => [(byte)id];

        public string? IdToToken(int id) => ((char)id).ToString();

        public int? TokenToId(string token) => token[0];

        private sealed class Letters : IIncrementalDetokenizer
        {
            public string Append(int id) => ((char)id).ToString();

            public string Flush() => "";
        }
    }
}
