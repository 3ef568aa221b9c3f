namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>Turns marks (U+2581, say) into spaces, and takes those of the first token out when encoding puts one there.</summary>
internal sealed class MetaspaceDecoder(char mark, bool stripsFirst) : ITokenDecoder
{
    public bool NeedsWholeTokens => false;

    public bool Fuses => false;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next, mark, stripsFirst);

    public byte[]? DecodeAlone(ref string text)
    {
        text = text.Replace(mark, ' ');
        return null;
    }

    private sealed class Stage(ITokenSink next, char mark, bool stripsFirst) : ITokenSink
    {
        private int _tokens;

        public void Add(string text, bool startsToken)
        {
            if (startsToken)
            {
                _tokens++;
            }

            next.Add(
                _tokens <= 1 && stripsFirst
                    ? text.Replace(mark.ToString(), "", StringComparison.Ordinal)
                    : text.Replace(mark, ' '),
                startsToken);
        }

        public void End() => next.End();
    }
}
