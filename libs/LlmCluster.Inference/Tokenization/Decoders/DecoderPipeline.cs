using System.Text;

namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>The decoders of a tokenizer, in order.</summary>
internal sealed class DecoderPipeline(IReadOnlyList<ITokenDecoder> decoders)
{
    /// <summary>Builds the stages for one sequence; what they decode is appended to the output.</summary>
    public ITokenSink CreateStages(StringBuilder output)
    {
        ITokenSink sink = new OutputSink(output);
        for (int i = decoders.Count - 1; i >= 0; i--)
        {
            sink = decoders[i].CreateStage(sink);
            if (decoders[i].NeedsWholeTokens && decoders.Take(i).Any(earlier => earlier.Fuses))
            {
                sink = new TokenAssembler(sink);
            }
        }

        return sink;
    }

    /// <summary>The bytes that a token stands for by itself.</summary>
    public byte[] DecodeAlone(string token)
    {
        foreach (var decoder in decoders)
        {
            if (decoder.DecodeAlone(ref token) is { } bytes)
            {
                return bytes;
            }
        }

        return Encoding.UTF8.GetBytes(token);
    }

    private sealed class OutputSink(StringBuilder output) : ITokenSink
    {
        public void Add(string text, bool startsToken) => output.Append(text);

        public void End()
        {
        }
    }

    /// <summary>Puts the parts of a token together.</summary>
    private sealed class TokenAssembler(ITokenSink next) : ITokenSink
    {
        private readonly StringBuilder _token = new();
        private bool _hasToken;

        public void Add(string text, bool startsToken)
        {
            if (startsToken)
            {
                Complete();
            }

            _hasToken = true;
            _token.Append(text);
        }

        public void End()
        {
            Complete();
            next.End();
        }

        private void Complete()
        {
            if (_hasToken)
            {
                next.Add(_token.ToString(), startsToken: true);
                _token.Clear();
                _hasToken = false;
            }
        }
    }
}
