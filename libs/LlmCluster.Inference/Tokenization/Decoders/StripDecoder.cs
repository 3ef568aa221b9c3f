namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>Takes up to so many of one character off the start and the end of each token.</summary>
internal sealed class StripDecoder(char content, int start, int stop) : ITokenDecoder
{
    public bool NeedsWholeTokens => false;

    public bool Fuses => false;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next, content, start, stop);

    public byte[]? DecodeAlone(ref string text) => null;

    private sealed class Stage(ITokenSink next, char content, int start, int stop) : ITokenSink
    {
        private int _toStrip;
        private int _held;

        public void Add(string text, bool startsToken)
        {
            if (startsToken)
            {
                // What is held back was the end of the token before: it is stripped.
                _toStrip = start;
                _held = 0;
            }

            int cut = 0;
            while (cut < text.Length && _toStrip > 0 && text[cut] == content)
            {
                cut++;
                _toStrip--;
            }

            if (cut < text.Length)
            {
                _toStrip = 0;
            }

            text = new string(content, _held) + text[cut..];
            _held = 0;
            while (_held < stop && _held < text.Length && text[^(_held + 1)] == content)
            {
                _held++;
            }

            next.Add(text[..^_held], startsToken);
        }

        public void End() => next.End();
    }
}
