using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;

namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>
/// Byte-pair encoding of one piece of text: split it into the smallest tokens (bytes or characters), then merge.
/// Immutable but for its cache; safe to use from several threads.
/// </summary>
internal sealed class BpeModel
{
    private readonly Vocabulary _vocabulary;
    private readonly BpeMerger _merger;
    private readonly BpeOptions _options;
    private readonly ISymbolizer _symbolizer;
    private readonly PieceCache _cache = new();
    private readonly bool _splitsAtWordMarks;

    public BpeModel(Vocabulary vocabulary, MergeTable merges, BpeOptions options, IEnumerable<string> mergedTokens)
    {
        _vocabulary = vocabulary;
        _merger = new BpeMerger(merges);
        _options = options;
        _symbolizer = options.ByteLevel ? new ByteSymbolizer(vocabulary, options) : new CharacterSymbolizer(vocabulary, options);
        _splitsAtWordMarks = WordMarks.CanSplit(vocabulary, options, mergedTokens);
    }

    public Vocabulary Vocabulary => _vocabulary;

    /// <summary>Appends the tokens of a piece.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> output)
    {
        if (!_splitsAtWordMarks)
        {
            EncodeWord(piece, output);
            return;
        }

        while (!piece.IsEmpty)
        {
            int length = WordMarks.FirstWordLength(piece);
            EncodeWord(piece[..length], output);
            piece = piece[length..];
        }
    }

    private void EncodeWord(ReadOnlySpan<char> word, List<int> output)
    {
        if (_cache.TryGet(word, out var cached))
        {
            output.AddRange(cached);
            return;
        }

        int start = output.Count;
        if (!_options.IgnoreMerges || !TryWhole(word, output))
        {
            Merge(word, output);
        }

        _cache.Set(word, CollectionsMarshal.AsSpan(output)[start..]);
    }

    private void Merge(ReadOnlySpan<char> word, List<int> output)
    {
        int capacity = _symbolizer.MaxSymbols(word.Length);
        int[]? rented = capacity > 256 ? ArrayPool<int>.Shared.Rent(capacity) : null;
        Span<int> symbols = rented ?? stackalloc int[256];
        int count = _symbolizer.Symbolize(word, symbols);
        count = _merger.Merge(symbols[..count]);
        output.AddRange((ReadOnlySpan<int>)symbols[..count]);
        if (rented is not null)
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    private bool TryWhole(ReadOnlySpan<char> word, List<int> output)
    {
        int id;
        if (!_options.ByteLevel)
        {
            if (_vocabulary.TryGetId(word, out id))
            {
                output.Add(id);
                return true;
            }

            return false;
        }

        const int LongestWhole = 128;
        if (word.Length > LongestWhole)
        {
            // Longer tokens exist in some vocabularies (runs of spaces or dashes), so look at them the slow way.
            if (_vocabulary.TryGetId(ByteAlphabet.Map(word), out id))
            {
                output.Add(id);
                return true;
            }

            return false;
        }

        Span<byte> bytes = stackalloc byte[LongestWhole * 3];
        bytes = bytes[..Encoding.UTF8.GetBytes(word, bytes)];
        Span<char> mapped = stackalloc char[bytes.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            mapped[i] = ByteAlphabet.ToChar(bytes[i]);
        }

        if (_vocabulary.TryGetId(mapped, out id))
        {
            output.Add(id);
            return true;
        }

        return false;
    }
}
