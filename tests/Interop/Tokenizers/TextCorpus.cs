using System.Text;

namespace LlmCluster.Tests.Interop.Tokenizers;

/// <summary>
/// Texts that bring out what tokenizers do differently: scripts of all planes, emoji sequences, combining marks, code, runs
/// of white space of every kind, digits, contractions, addresses, special tokens written out, lone surrogates. The same
/// ones every time.
/// </summary>
internal static class TextCorpus
{
    /// <summary>First and last code points of blocks, one script each.</summary>
    private static readonly (int First, int Last)[] Blocks =
    [
        (0x20, 0x7E), (0x20, 0x7E), (0x20, 0x7E), (0x00, 0x1F), (0x7F, 0x9F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF),
        (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0xB80, 0xBFF), (0xE00, 0xE7F), (0xF00, 0xFFF), (0x1000, 0x109F),
        (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF),
        (0x2000, 0x206F), (0x2070, 0x20CF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x2E80, 0x2FDF),
        (0x3000, 0x30FF), (0x3130, 0x33FF), (0x4E00, 0x9FFF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFAFF),
        (0xFB00, 0xFDFF), (0xFE00, 0xFE6F), (0xFF00, 0xFFEF), (0x10000, 0x100FF), (0x10330, 0x1034F), (0x10400, 0x1044F), (0x12000, 0x123FF),
        (0x13000, 0x1342F), (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF), (0x1F000, 0x1F0FF), (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF),
        (0x20000, 0x2A6DF), (0x2F800, 0x2FA1D), (0xE0100, 0xE01EF), (0x10FFF0, 0x10FFFF),
    ];

    private static readonly string[] Spaces =
    [
        " ", " ", "  ", "    ", "\t", "\t\t", "\n", "\n\n", "\r\n", "\r\n\r\n", "\r", "\u00A0", "\u3000", "\u2003", "\u200B", "\u2028", "\u0085",
        "\uFEFF", "\v", "\f", "   \n  ", " \t\n \r\n", "\n\n\n\n", "          ",
    ];

    private static readonly string[] Words =
    [
        "Hello", "world", "the", "I'm", "DON'T", "we'Ve", "they'LL", "x'\u017Ft", "it'S", "'tis", "''s", "foo_bar", "camelCaseWords", "SCREAMING_CASE",
        "https://example.com/a?b=c&d=%20#frag", "user.name+tag@host.example", "C:\\path\\file.txt", "1", "12", "1234567", "3.14159", "1e-10", "0xFF",
        "\u0661\u0662\u0663\u0664", "\u2167", "½", "²³", "naïve", "e\u0301a\u0308o\u0302\u0323", "Å\u212B", "ﬁne", "<s>", "</s>", "<unk>", "<|im_start|>",
        "<|im_end|>", "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<think>", "</think>", "<|endoftext|>",
        "<tool_call>", "<|im_start", "<0x0A>", "▁", "▁▁x", "Ġ", "Ċ", "👩\u200D👩\u200D👧\u200D👦", "🏳️\u200D🌈", "🇩🇪🇫🇷", "👍🏽", "😀😀😀", "𝐀𝐁𝐂", "𠀀𠀁", "𐌰𐌱𐌲", "if (x == 0) {",
        "}", "return a[i] ?? b;", "\\n", "fn main() -> Result<(), Box<dyn Error>>", "SELECT * FROM t WHERE a='b';", "<div class=\"x\">&nbsp;</div>",
        "...", "?!", "—", "“quoted”", "«»", "日本語のテキスト", "中文文本", "한국어", "각", "각", "Привет", "مرحبا", "שלום", "नमस्ते", "สวัสดี", "Ünïcödé", "ｆｕｌｌ", "ｶﾞ",
        "aaaaaaaaaaaaaaaaaaaaaaaa", "================", "--------", "#####", "abcabcabcabc", "\u0000", "\uFFFD", "\uFFFF",
    ];

    private static readonly string[] LoneSurrogates = ["\uD800", "\uDC00x", "\uD83D", "\uDE00\uD83D", "a\uDBFFb"];

    /// <summary>Makes texts; about one in ten has a lone surrogate.</summary>
    public static IReadOnlyList<string> Create(int count)
    {
        var random = new Random(20240626);
        var texts = new List<string> { "", " ", "\n", "\uD800", new('a', 5000), new(' ', 5000), string.Concat(Enumerable.Repeat("😀", 2000)) };
        while (texts.Count < count)
        {
            texts.Add(Text(random));
        }

        return texts;
    }

    private static string Text(Random random)
    {
        var text = new StringBuilder();
        int parts = 1 + random.Next(14);
        for (int i = 0; i < parts; i++)
        {
            switch (random.Next(100))
            {
                case < 30:
                    var (first, last) = Blocks[random.Next(Blocks.Length)];
                    for (int length = 1 + random.Next(8); length > 0; length--)
                    {
                        text.Append(char.ConvertFromUtf32(random.Next(first, last + 1)));
                    }

                    break;
                case < 60:
                    text.Append(Words[random.Next(Words.Length)]);
                    break;
                case < 65:
                    text.Insert(text.Length, Words[random.Next(Words.Length)], 1 + random.Next(6));
                    break;
                case < 99:
                    text.Append(Spaces[random.Next(Spaces.Length)]);
                    break;
                default:
                    text.Append(LoneSurrogates[random.Next(LoneSurrogates.Length)]);
                    break;
            }

            if (random.Next(2) == 0)
            {
                text.Append(' ');
            }
        }

        return text.ToString();
    }
}
