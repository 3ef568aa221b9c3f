using System.Buffers;
using System.Text;

namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>Byte-level BPE: a token for each byte of the UTF-8 text.</summary>
internal sealed class ByteSymbolizer : ISymbolizer
{
    private readonly int[] _idOfByte = new int[256];

    public ByteSymbolizer(Vocabulary vocabulary, BpeOptions options)
    {
        int unknown = options.UnknownToken is { } token ? vocabulary.IdOf(token) ?? -1 : -1;
        for (int b = 0; b < 256; b++)
        {
            _idOfByte[b] = vocabulary.IdOf(ByteAlphabet.ToChar((byte)b).ToString()) ?? unknown;
        }
    }

    public int MaxSymbols(int length) => checked(3 * length);

    public int Symbolize(ReadOnlySpan<char> piece, Span<int> symbols)
    {
        int most = MaxSymbols(piece.Length);
        byte[]? rented = most > 512 ? ArrayPool<byte>.Shared.Rent(most) : null;
        Span<byte> bytes = rented ?? stackalloc byte[512];
        bytes = bytes[..Encoding.UTF8.GetBytes(piece, bytes)];
        int count = 0;
        foreach (byte b in bytes)
        {
            int id = _idOfByte[b];
            if (id >= 0)
            {
                symbols[count++] = id;
            }
        }

        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return count;
    }
}
