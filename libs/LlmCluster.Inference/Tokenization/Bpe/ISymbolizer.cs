namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>Cuts a piece of text into the tokens that merging starts from.</summary>
internal interface ISymbolizer
{
    /// <summary>The most tokens that a piece of so many UTF-16 units can give.</summary>
    int MaxSymbols(int length);

    /// <summary>Writes the tokens and returns their number.</summary>
    int Symbolize(ReadOnlySpan<char> piece, Span<int> symbols);
}
