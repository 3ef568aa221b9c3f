using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>Replaces what a pattern finds in each token.</summary>
internal sealed class ReplaceDecoder(ITextPattern pattern, string replacement) : ITokenDecoder
{
    public bool NeedsWholeTokens => pattern is not LiteralPattern { Literal.Length: 1 };

    public bool Fuses => false;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next, pattern, replacement);

    public byte[]? DecodeAlone(ref string text)
    {
        text = pattern.Replace(text, replacement);
        return null;
    }

    private sealed class Stage(ITokenSink next, ITextPattern pattern, string replacement) : ITokenSink
    {
        public void Add(string text, bool startsToken) => next.Add(pattern.Replace(text, replacement), startsToken);

        public void End() => next.End();
    }
}
