namespace LlmCluster.Inference.Tokenization;

/// <summary>Turns text into token ids and back. Safe to use from several threads at once.</summary>
public interface ITokenizer
{
    /// <summary>One more than the highest id.</summary>
    int VocabSize { get; }

    /// <summary>Token that starts a sequence, or none.</summary>
    int? BosTokenId { get; }

    /// <summary>Token that ends a sequence, or none.</summary>
    int? EosTokenId { get; }

    /// <summary>Encodes text. Special tokens written out in it are recognised.</summary>
    /// <param name="text">Any UTF-16 text; a lone surrogate counts as U+FFFD.</param>
    /// <param name="addSpecialTokens">Whether the post-processor adds its tokens (beginning of sequence, say).</param>
    int[] Encode(string text, bool addSpecialTokens = true);

    /// <summary>Decodes ids. Unknown ids give nothing; bytes that are no UTF-8 give U+FFFD.</summary>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true);

    /// <summary>A decoder for one growing sequence.</summary>
    IIncrementalDetokenizer CreateDetokenizer(bool skipSpecialTokens = true);

    /// <summary>The bytes that a token stands for by itself; for logprobs. Empty for an unknown id.</summary>
    byte[] TokenBytes(int id);

    /// <summary>The vocabulary's entry for an id, as in <c>tokenizer.json</c>, or null.</summary>
    string? IdToToken(int id);

    /// <summary>The id of a vocabulary entry or an added token, or null.</summary>
    int? TokenToId(string token);
}

/// <summary>
/// Decodes a sequence token by token. The concatenation of all results equals <see cref="ITokenizer.Decode"/> of
/// all ids; half a character is held back until it is whole.
/// </summary>
public interface IIncrementalDetokenizer
{
    /// <summary>Adds a token and returns the text that it completes; may be empty.</summary>
    string Append(int id);

    /// <summary>Returns what was held back (U+FFFD for an unfinished character) and ends the sequence.</summary>
    string Flush();
}
