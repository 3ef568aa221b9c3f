namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>A stretch of text on its way to the model.</summary>
/// <param name="Text">The text that it is a part of.</param>
/// <param name="Start">Where it starts, in UTF-16 units.</param>
/// <param name="Length">Its length in UTF-16 units.</param>
/// <param name="AtStart">Whether nothing of the input came before it.</param>
internal readonly record struct Piece(string Text, int Start, int Length, bool AtStart)
{
    public ReadOnlySpan<char> Span => Text.AsSpan(Start, Length);

    /// <summary>A part of the piece.</summary>
    public Piece Slice(int start, int length) => new(Text, Start + start, length, AtStart && start == 0);

    /// <summary>The piece with another text in its place.</summary>
    public Piece With(string text) => new(text, 0, text.Length, AtStart);
}

/// <summary>Takes pieces, in order.</summary>
internal interface IPieceSink
{
    /// <summary>Takes a piece, which is not empty.</summary>
    void Add(in Piece piece);
}

/// <summary>Cuts pieces into smaller ones. Immutable.</summary>
internal interface IPreTokenizer
{
    /// <summary>Cuts a piece; the parts go to the sink in order, empty ones left out.</summary>
    void Split(in Piece piece, IPieceSink sink);
}
