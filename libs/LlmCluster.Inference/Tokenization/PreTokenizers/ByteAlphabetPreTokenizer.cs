using LlmCluster.Inference.Tokenization.Bpe;

namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Writes pieces in the byte-level alphabet: for a <c>ByteLevel</c> that other pre-tokenizers come after.</summary>
internal sealed class ByteAlphabetPreTokenizer : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink) => sink.Add(piece.With(ByteAlphabet.Map(piece.Span)));
}
