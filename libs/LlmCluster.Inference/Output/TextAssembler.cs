using System.Text;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Inference.Output;

/// <summary>Turns the tokens of one sequence into text, piece by piece, and finds its end at a stop string.</summary>
internal sealed class TextAssembler
{
    private readonly ITokenizer _tokenizer;
    private readonly IIncrementalDetokenizer _detokenizer;
    private readonly TextOptions _options;
    private readonly StopStringMatcher? _matcher;
    private readonly int _minTokens;

    // Text that is not certain yet; ends where the text so far ends.
    private readonly StringBuilder _held = new();
    private int _textLength;

    public TextAssembler(ITokenizer tokenizer, TextOptions options, int minTokens)
    {
        _tokenizer = tokenizer;
        _options = options;
        _minTokens = minTokens;
        _detokenizer = tokenizer.CreateDetokenizer(options.SkipSpecialTokens);
        _matcher = options.StopStrings.Count > 0 ? new StopStringMatcher(options.StopStrings) : null;
    }

    /// <summary>Tokens so far, a stop token included.</summary>
    public int TokenCount { get; private set; }

    /// <summary>The stop string that ended the answer, if one did.</summary>
    public string? MatchedStop { get; private set; }

    /// <summary>The stop token that ended the answer, if one did.</summary>
    public int? StopToken { get; private set; }

    /// <summary>Adds a token. The answer has ended when the result has a finish reason.</summary>
    public TextDelta Append(in GeneratedToken token)
    {
        TokenCount++;
        bool isStop = token.FinishReason == FinishReason.Stop;
        OutputToken output = Describe(token, isStop);

        string text = isStop && !_options.IncludeStop ? "" : _detokenizer.Append(token.TokenId);
        if (token.FinishReason != FinishReason.None)
        {
            text += _detokenizer.Flush();
        }

        FinishReason reason = token.FinishReason;
        string released = Release(text, isLast: reason != FinishReason.None);
        if (MatchedStop is not null)
        {
            reason = FinishReason.Stop;
        }
        else if (isStop)
        {
            StopToken = token.TokenId;
        }

        return new TextDelta(released, [output], reason);
    }

    private string Release(string text, bool isLast)
    {
        if (_matcher is null)
        {
            _textLength += text.Length;
            return text;
        }

        // Text of the first MinTokens tokens can't end the answer, but may begin a stop string.
        bool mayStop = TokenCount > _minTokens;
        foreach (char next in text)
        {
            _held.Append(next);
            _textLength++;
            string? match = _matcher.Append(next);
            if (match is not null && mayStop)
            {
                MatchedStop = match;
                return Take(_held.Length - (_options.IncludeStop ? 0 : match.Length));
            }
        }

        return Take(isLast ? _held.Length : _held.Length - _matcher.Held);
    }

    private string Take(int length)
    {
        string text = _held.ToString(0, length);
        _held.Remove(0, length);
        return text;
    }

    private OutputToken Describe(in GeneratedToken token, bool isStop)
    {
        if (token.Logprob is null)
        {
            return new OutputToken(token.TokenId, _textLength, isStop, null, "", [], null);
        }

        byte[] bytes = _tokenizer.TokenBytes(token.TokenId);
        TopToken[]? top = token.TopLogprobs is { } likeliest ? Array.ConvertAll(likeliest, Describe) : null;
        return new OutputToken(token.TokenId, _textLength, isStop, token.Logprob, Encoding.UTF8.GetString(bytes), bytes, top);
    }

    private TopToken Describe(TokenLogprob token)
    {
        byte[] bytes = _tokenizer.TokenBytes(token.TokenId);
        return new TopToken(token.TokenId, Encoding.UTF8.GetString(bytes), bytes, token.Logprob);
    }
}
