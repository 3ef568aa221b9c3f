using System.Text;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Tests.Unit.Output;

/// <summary>Ids 0 to 255 are bytes, 256 is a special token, 300 and on are the words given.</summary>
internal sealed class ByteTokenizer(params string[] words) : ITokenizer
{
    public const int End = 256;
    public const int FirstWord = 300;

    public int VocabSize => FirstWord + words.Length;

    public int? BosTokenId => null;

    public int? EosTokenId => End;

    public int[] Encode(string text, bool addSpecialTokens = true) => [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        IIncrementalDetokenizer detokenizer = CreateDetokenizer(skipSpecialTokens);
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            text.Append(detokenizer.Append(id));
        }

        return text.Append(detokenizer.Flush()).ToString();
    }

    public IIncrementalDetokenizer CreateDetokenizer(bool skipSpecialTokens = true) => new Detokenizer(this, skipSpecialTokens);

    public byte[] TokenBytes(int id) => id switch
    {
        < 256 => [(byte)id],
        End => "<end>"u8.ToArray(),
        _ => Encoding.UTF8.GetBytes(words[id - FirstWord]),
    };

    public string? IdToToken(int id) => Encoding.Latin1.GetString(TokenBytes(id));

    public int? TokenToId(string token) => token == "<end>" ? End : null;

    private sealed class Detokenizer(ByteTokenizer tokenizer, bool skipSpecialTokens) : IIncrementalDetokenizer
    {
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

        public string Append(int id) =>
            id == End && skipSpecialTokens ? "" : Decode(tokenizer.TokenBytes(id), flush: false);

        public string Flush() => Decode([], flush: true);

        private string Decode(byte[] bytes, bool flush)
        {
            char[] chars = new char[bytes.Length + 4];
            return new string(chars, 0, _decoder.GetChars(bytes, 0, bytes.Length, chars, 0, flush));
        }
    }
}
