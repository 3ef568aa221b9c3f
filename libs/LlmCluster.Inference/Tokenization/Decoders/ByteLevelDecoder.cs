using System.Text;
using LlmCluster.Inference.Tokenization.Bpe;

namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>
/// Byte-level: the bytes of all tokens, read as UTF-8. A character whose bytes are not all there yet is held back; what is
/// no UTF-8 becomes U+FFFD, one for each maximal part of a character.
/// </summary>
internal sealed class ByteLevelDecoder : ITokenDecoder
{
    public bool NeedsWholeTokens => true;

    public bool Fuses => true;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next);

    public byte[]? DecodeAlone(ref string text) => ByteAlphabet.Unmap(text);

    private sealed class Stage(ITokenSink next) : ITokenSink
    {
        private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
        private bool _started;

        public void Add(string text, bool startsToken) => Decode(ByteAlphabet.Unmap(text), flush: false);

        public void End()
        {
            Decode([], flush: true);
            next.End();
        }

        private void Decode(ReadOnlySpan<byte> bytes, bool flush)
        {
            int most = _utf8.GetCharCount(bytes, flush);
            Span<char> chars = most <= 128 ? stackalloc char[128] : new char[most];
            int count = _utf8.GetChars(bytes, chars, flush);
            if (count > 0)
            {
                next.Add(chars[..count].ToString(), startsToken: !_started);
                _started = true;
            }
        }
    }
}
