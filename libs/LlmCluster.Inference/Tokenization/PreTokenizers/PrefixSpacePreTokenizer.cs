namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Puts a space before every piece that has none (<c>add_prefix_space</c> of <c>ByteLevel</c>).</summary>
internal sealed class PrefixSpacePreTokenizer : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink) =>
        sink.Add(piece.Span[0] == ' ' ? piece : piece.With(string.Concat(" ", piece.Span)));
}
