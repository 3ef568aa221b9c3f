using LlmCluster.Inference.Tokenization.Normalizers;

namespace LlmCluster.Inference.Tokenization.AddedTokens;

/// <summary>The added tokens of a tokenizer, by id and by text, and the searches for them.</summary>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<int, AddedToken> _byId = [];
    private readonly Dictionary<string, AddedToken> _byContent = new(StringComparer.Ordinal);
    private readonly HashSet<string> _special = new(StringComparer.Ordinal);

    /// <param name="tokens">The tokens; one whose text came before is left out.</param>
    /// <param name="normalizer">Normalizes the texts of the tokens that are looked for in normalized text.</param>
    public AddedVocabulary(IEnumerable<AddedToken> tokens, INormalizer? normalizer)
    {
        foreach (var token in tokens)
        {
            if (token.Content.Length > 0 && _byContent.TryAdd(token.Content, token))
            {
                _byId.TryAdd(token.Id, token);
                if (token.Special)
                {
                    _special.Add(token.Content);
                }
            }
        }

        InText = new AddedTokenMatcher(_byContent.Values.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        InNormalizedText = new AddedTokenMatcher(
            _byContent.Values.Where(t => t.Normalized).Select(t => (normalizer?.Normalize(t.Content) ?? t.Content, t)));
    }

    /// <summary>Finds the tokens that are looked for in the text as it came.</summary>
    public AddedTokenMatcher InText { get; }

    /// <summary>Finds the tokens that are looked for in normalized text.</summary>
    public AddedTokenMatcher InNormalizedText { get; }

    /// <summary>One more than the highest id, or 0.</summary>
    public int Size => _byId.Count == 0 ? 0 : _byId.Keys.Max() + 1;

    public AddedToken? Find(int id) => _byId.GetValueOrDefault(id);

    public AddedToken? Find(string content) => _byContent.GetValueOrDefault(content);

    /// <summary>Whether a text is that of a special token.</summary>
    public bool IsSpecial(string content) => _special.Contains(content);
}
