using System.Buffers;
using System.Text;
using LlmCluster.Inference.Tokenization.AddedTokens;
using LlmCluster.Inference.Tokenization.Bpe;
using LlmCluster.Inference.Tokenization.Decoders;
using LlmCluster.Inference.Tokenization.Loading;
using LlmCluster.Inference.Tokenization.Normalizers;
using LlmCluster.Inference.Tokenization.PostProcessors;
using LlmCluster.Inference.Tokenization.PreTokenizers;

namespace LlmCluster.Inference.Tokenization;

/// <summary>
/// A tokenizer read from <c>tokenizer.json</c>, with the steps of the Hugging Face <c>tokenizers</c> library: find added
/// tokens, normalize, cut into pieces, byte-pair encode, add special tokens; and decoders for the way back. Results equal
/// that library's <c>encode</c> and <c>decode</c>. <c>truncation</c>, <c>padding</c> and <c>dropout</c> of the file are
/// left out: they belong to training.
/// </summary>
public sealed class Tokenizer : ITokenizer
{
    private readonly BpeModel _model;
    private readonly AddedVocabulary _added;
    private readonly INormalizer? _normalizer;
    private readonly IPreTokenizer _preTokenizer;
    private readonly SpecialTokenTemplate _template;
    private readonly DecoderPipeline _decoders;

    internal Tokenizer(TokenizerParts parts)
    {
        _model = parts.Model;
        _added = parts.Added;
        _normalizer = parts.Normalizer;
        _preTokenizer = parts.PreTokenizer;
        _template = parts.Template;
        _decoders = parts.Decoders;
        Config = parts.Config;
        VocabSize = Math.Max(_model.Vocabulary.Size, _added.Size);
        BosTokenId = Config.BosToken is { } bos ? TokenToId(bos) : null;
        EosTokenId = Config.EosToken is { } eos ? TokenToId(eos) : null;
    }

    /// <summary>What <c>tokenizer_config.json</c> says; its chat templates among it.</summary>
    public TokenizerConfig Config { get; }

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <inheritdoc/>
    public int? BosTokenId { get; }

    /// <inheritdoc/>
    public int? EosTokenId { get; }

    /// <summary>
    /// Loads a tokenizer from a directory that holds <c>tokenizer.json</c> and may hold <c>tokenizer_config.json</c>,
    /// <c>special_tokens_map.json</c> and <c>chat_template.jinja</c>. Other files are not looked at.
    /// </summary>
    /// <exception cref="TokenizerFormatException">A file is missing or can't be used; the message says which, where and why.</exception>
    public static Tokenizer Load(string directory) => new(TokenizerReader.Read(directory));

    /// <inheritdoc/>
    public int[] Encode(string text, bool addSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(text.Length / 3 + 8);
        if (addSpecialTokens)
        {
            ids.AddRange(_template.Before);
        }

        EncodeText(WellFormed(text), ids);
        if (addSpecialTokens)
        {
            ids.AddRange(_template.After);
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        var output = new StringBuilder(4 * ids.Length);
        var stages = _decoders.CreateStages(output);
        foreach (int id in ids)
        {
            if (TokenToDecode(id, skipSpecialTokens) is { } token)
            {
                stages.Add(token, startsToken: true);
            }
        }

        stages.End();
        return output.ToString();
    }

    /// <inheritdoc/>
    public IIncrementalDetokenizer CreateDetokenizer(bool skipSpecialTokens = true) => new Detokenizer(this, skipSpecialTokens);

    /// <inheritdoc/>
    public byte[] TokenBytes(int id) =>
        _added.Find(id) is { } added ? Encoding.UTF8.GetBytes(added.Content)
        : _model.Vocabulary.TokenOf(id) is { } token ? _decoders.DecodeAlone(token)
        : [];

    /// <inheritdoc/>
    public string? IdToToken(int id) => _added.Find(id)?.Content ?? _model.Vocabulary.TokenOf(id);

    /// <inheritdoc/>
    public int? TokenToId(string token) => _added.Find(token)?.Id ?? _model.Vocabulary.IdOf(token);

    /// <summary>Whether decoding can leave a token out.</summary>
    public bool IsSpecial(int id) => IdToToken(id) is { } token && _added.IsSpecial(token);

    /// <summary>A token's text as the decoders take it; none for an unknown id and for one that is left out.</summary>
    private string? TokenToDecode(int id, bool skipSpecialTokens) =>
        IdToToken(id) is { } token && !(skipSpecialTokens && _added.IsSpecial(token)) ? token : null;

    private void EncodeText(string text, List<int> ids)
    {
        var sink = new ModelSink(_model, ids);
        if (_normalizer is null && _added.InNormalizedText.IsEmpty)
        {
            foreach (var segment in _added.InText.Split(text))
            {
                EncodeSegment(text, segment, segment.Start == 0, sink, ids);
            }

            return;
        }

        foreach (var outer in _added.InText.Split(text))
        {
            if (outer.Token is not null)
            {
                ids.Add(outer.Token.Id);
                continue;
            }

            string part = outer.Length == text.Length ? text : text.Substring(outer.Start, outer.Length);
            string normalized = _normalizer?.Normalize(part) ?? part;
            foreach (var segment in _added.InNormalizedText.Split(normalized))
            {
                EncodeSegment(normalized, segment, outer.Start == 0 && segment.Start == 0, sink, ids);
            }
        }
    }

    private void EncodeSegment(string text, in TextSegment segment, bool atStart, ModelSink sink, List<int> ids)
    {
        if (segment.Token is { } token)
        {
            ids.Add(token.Id);
        }
        else
        {
            _preTokenizer.Split(new Piece(text, segment.Start, segment.Length, atStart), sink);
        }
    }

    /// <summary>The text with U+FFFD for lone surrogates.</summary>
    private static string WellFormed(string text)
    {
        int first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        for (int i = first; i >= 0 && i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
            }
            else if (char.IsSurrogate(text[i]))
            {
                return Repair(text);
            }
        }

        return text;

        static string Repair(string text)
        {
            var repaired = new StringBuilder(text.Length);
            Span<char> units = stackalloc char[2];
            foreach (var rune in text.EnumerateRunes())
            {
                repaired.Append(units[..rune.EncodeToUtf16(units)]);
            }

            return repaired.ToString();
        }
    }

    private sealed class ModelSink(BpeModel model, List<int> ids) : IPieceSink
    {
        public void Add(in Piece piece) => model.Encode(piece.Span, ids);
    }

    private sealed class Detokenizer : IIncrementalDetokenizer
    {
        private readonly Tokenizer _tokenizer;
        private readonly bool _skipSpecialTokens;
        private readonly StringBuilder _output = new();
        private readonly ITokenSink _stages;

        public Detokenizer(Tokenizer tokenizer, bool skipSpecialTokens)
        {
            _tokenizer = tokenizer;
            _skipSpecialTokens = skipSpecialTokens;
            _stages = tokenizer._decoders.CreateStages(_output);
        }

        public string Append(int id)
        {
            if (_tokenizer.TokenToDecode(id, _skipSpecialTokens) is { } token)
            {
                _stages.Add(token, startsToken: true);
            }

            return Take();
        }

        public string Flush()
        {
            _stages.End();
            return Take();
        }

        private string Take()
        {
            if (_output.Length == 0)
            {
                return "";
            }

            string text = _output.ToString();
            _output.Clear();
            return text;
        }
    }
}
