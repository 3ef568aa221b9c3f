using LlmCluster.Api.Responses;

namespace LlmCluster.Worker.Generate;

/// <summary>Adds up what the sequences of a request use. A prompt counts once, with its first choice.</summary>
internal sealed class UsageMeter(int sequences)
{
    private readonly bool[] _seen = new bool[sequences];
    private readonly HashSet<int> _prompts = [];
    private int _promptTokens;
    private int _cachedTokens;
    private int _completionTokens;

    public Usage Usage => new(_promptTokens, _completionTokens, _cachedTokens);

    /// <summary>Counts a piece.</summary>
    /// <returns>Whether it is the first one of its sequence.</returns>
    public bool Add(in SequencePiece piece)
    {
        _completionTokens += piece.Delta.Tokens.Count;
        if (_seen[piece.Sequence.Index])
        {
            return false;
        }

        _seen[piece.Sequence.Index] = true;
        if (_prompts.Add(piece.Sequence.Prompt))
        {
            _promptTokens += piece.PromptTokens;
            _cachedTokens += piece.CachedTokens;
        }

        return true;
    }
}
