namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>Makes one token of all, so that what comes after treats the whole text as a token.</summary>
internal sealed class FuseDecoder : ITokenDecoder
{
    public bool NeedsWholeTokens => false;

    public bool Fuses => true;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next);

    public byte[]? DecodeAlone(ref string text) => null;

    private sealed class Stage(ITokenSink next) : ITokenSink
    {
        private bool _started;

        public void Add(string text, bool startsToken)
        {
            next.Add(text, startsToken: !_started);
            _started = true;
        }

        public void End() => next.End();
    }
}
