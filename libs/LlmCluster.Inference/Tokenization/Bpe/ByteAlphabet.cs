namespace LlmCluster.Inference.Tokenization.Bpe;

/// <summary>
/// The alphabet of byte-level BPE: every byte has a printable character of its own, so that vocabularies are text.
/// Bytes that are printable in Latin-1 stand for themselves; the others are numbered from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    private const int Highest = 0x143;

    private static readonly char[] CharOfByte = new char[256];
    private static readonly short[] ByteOfChar = new short[Highest + 1];

    static ByteAlphabet()
    {
        Array.Fill(ByteOfChar, (short)-1);
        int next = 0x100;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            char c = printable ? (char)b : (char)next++;
            CharOfByte[b] = c;
            ByteOfChar[c] = (short)b;
        }
    }

    /// <summary>The character that stands for a byte.</summary>
    public static char ToChar(byte value) => CharOfByte[value];

    /// <summary>The byte that a character stands for, or -1.</summary>
    public static int ToByte(char value) => value <= Highest ? ByteOfChar[value] : -1;

    /// <summary>The UTF-8 bytes of a text in the alphabet.</summary>
    public static string Map(ReadOnlySpan<char> text)
    {
        byte[] bytes = new byte[System.Text.Encoding.UTF8.GetByteCount(text)];
        System.Text.Encoding.UTF8.GetBytes(text, bytes);
        return string.Create(bytes.Length, bytes, static (chars, source) =>
        {
            for (int i = 0; i < chars.Length; i++)
            {
                chars[i] = CharOfByte[source[i]];
            }
        });
    }

    /// <summary>The bytes that a token's text stands for; its UTF-8 bytes when it has a character outside the alphabet.</summary>
    public static byte[] Unmap(ReadOnlySpan<char> token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            int value = ToByte(token[i]);
            if (value < 0)
            {
                byte[] utf8 = new byte[System.Text.Encoding.UTF8.GetByteCount(token)];
                System.Text.Encoding.UTF8.GetBytes(token, utf8);
                return utf8;
            }

            bytes[i] = (byte)value;
        }

        return bytes;
    }
}
