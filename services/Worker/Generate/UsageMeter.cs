using LlmCluster.Api.Responses;

namespace LlmCluster.Worker.Generate;

/// <summary>
/// Adds up what the sequences of a request use. A prompt counts once, however many choices it has; the choice that found least of it cached is the one that computed it.
/// </summary>
internal sealed class UsageMeter(int sequences)
{
    private readonly bool[] _seen = new bool[sequences];
    private readonly Dictionary<int, (int Tokens, int Cached)> _prompts = [];
    private int _completionTokens;

    public Usage Usage => new(_prompts.Values.Sum(static prompt => prompt.Tokens), _completionTokens, _prompts.Values.Sum(static prompt => prompt.Cached));

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
        int prompt = piece.Sequence.Prompt;
        int cached = _prompts.TryGetValue(prompt, out (int Tokens, int Cached) known) ? Math.Min(known.Cached, piece.CachedTokens) : piece.CachedTokens;
        _prompts[prompt] = (piece.PromptTokens, cached);

        return true;
    }
}
