namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>Puts a space between tokens: what decoding does when <c>tokenizer.json</c> names no decoder.</summary>
internal sealed class JoinDecoder : ITokenDecoder
{
    public bool NeedsWholeTokens => false;

    public bool Fuses => false;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next);

    public byte[]? DecodeAlone(ref string text) => null;

    private sealed class Stage(ITokenSink next) : ITokenSink
    {
        private bool _started;

        public void Add(string text, bool startsToken)
        {
            next.Add(_started && startsToken ? " " + text : text, startsToken);
            _started = true;
        }

        public void End() => next.End();
    }
}
