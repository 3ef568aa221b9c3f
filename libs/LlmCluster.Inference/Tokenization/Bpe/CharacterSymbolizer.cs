using System.Text;

namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>
/// Character-level BPE (SentencePiece style): a token for each code point; one that has no token becomes the tokens of
/// its bytes, or the unknown token, or nothing.
/// </summary>
internal sealed class CharacterSymbolizer : ISymbolizer
{
    private readonly Vocabulary _vocabulary;
    private readonly BpeOptions _options;
    private readonly bool _decorated;
    private readonly int _unknown;
    private readonly int[] _idOfByte = new int[256];
    private readonly int[] _idOfChar = new int[char.MaxValue + 1];

    public CharacterSymbolizer(Vocabulary vocabulary, BpeOptions options)
    {
        _vocabulary = vocabulary;
        _options = options;
        _decorated = options.ContinuingSubwordPrefix.Length + options.EndOfWordSuffix.Length > 0;
        _unknown = options.UnknownToken is { } token ? vocabulary.IdOf(token) ?? -1 : -1;
        for (int b = 0; b < 256; b++)
        {
            _idOfByte[b] = vocabulary.IdOf($"<0x{b:X2}>") ?? -1;
        }

        for (int c = 0; c <= char.MaxValue; c++)
        {
            char unit = (char)c;
            _idOfChar[c] = vocabulary.TryGetId(new ReadOnlySpan<char>(in unit), out int id) ? id : -1;
        }
    }

    public int MaxSymbols(int length) =>
        checked(3 * (length + (_decorated ? length * _options.ContinuingSubwordPrefix.Length + _options.EndOfWordSuffix.Length : 0)));

    public int Symbolize(ReadOnlySpan<char> piece, Span<int> symbols)
    {
        int count = 0;
        bool unknownBefore = false;
        for (int i = 0; i < piece.Length;)
        {
            int length = char.IsHighSurrogate(piece[i]) && i + 1 < piece.Length ? 2 : 1;
            var character = piece.Slice(i, length);
            if (_decorated)
            {
                character = Decorate(character, i == 0, i + length == piece.Length);
            }

            i += length;
            int id;
            if (character.Length == 1 ? (id = _idOfChar[character[0]]) >= 0 : _vocabulary.TryGetId(character, out id))
            {
                symbols[count++] = id;
                unknownBefore = false;
            }
            else if (_options.ByteFallback && TryBytes(character, symbols[count..], out int written))
            {
                count += written;
                unknownBefore = false;
            }
            else if (_unknown >= 0)
            {
                if (!(unknownBefore && _options.FuseUnknown))
                {
                    symbols[count++] = _unknown;
                }

                unknownBefore = true;
            }
        }

        return count;
    }

    private ReadOnlySpan<char> Decorate(ReadOnlySpan<char> character, bool first, bool last) =>
        string.Concat(first ? "" : _options.ContinuingSubwordPrefix, character, last ? _options.EndOfWordSuffix : "");

    private bool TryBytes(ReadOnlySpan<char> character, Span<int> symbols, out int written)
    {
        Span<byte> bytes = character.Length <= 2 ? stackalloc byte[6] : new byte[character.Length * 3];
        bytes = bytes[..Encoding.UTF8.GetBytes(character, bytes)];
        written = 0;
        foreach (byte b in bytes)
        {
            if (_idOfByte[b] < 0)
            {
                return false;
            }

            symbols[written++] = _idOfByte[b];
        }

        return true;
    }
}
