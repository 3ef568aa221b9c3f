namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>
/// SentencePiece-style models have no pre-tokenizer: a whole text is one piece, in which U+2581 marks where words start.
/// When no token that a merge makes has a mark after another character, no merge can reach over the start of a word.
/// Words can then be encoded one by one, with the same result, and be cached.
/// </summary>
internal static class WordMarks
{
    private const char Mark = '\u2581';

    /// <summary>Whether cutting pieces in front of marks leaves the result as it is.</summary>
    public static bool CanSplit(Vocabulary vocabulary, BpeOptions options, IEnumerable<string> mergedTokens)
    {
        if (options.ByteLevel
            || options.IgnoreMerges
            || options.ContinuingSubwordPrefix.Length + options.EndOfWordSuffix.Length > 0
            || vocabulary.IdOf(Mark.ToString()) is null
            || DropsCharacters(vocabulary, options))
        {
            return false;
        }

        foreach (string token in mergedTokens)
        {
            if (FirstWordLength(token) != token.Length)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether some characters leave nothing behind: what stands on their two sides can then merge.</summary>
    private static bool DropsCharacters(Vocabulary vocabulary, BpeOptions options) =>
        options.UnknownToken is null
        && !(options.ByteFallback && Enumerable.Range(0, 256).All(b => vocabulary.IdOf($"<0x{b:X2}>") is not null));

    /// <summary>The length of the first word: up to the first mark that comes after another character.</summary>
    public static int FirstWordLength(ReadOnlySpan<char> piece)
    {
        int marks = piece.IndexOfAnyExcept(Mark);
        if (marks < 0)
        {
            return piece.Length;
        }

        int word = piece[marks..].IndexOf(Mark);
        return word < 0 ? piece.Length : marks + word;
    }
}
