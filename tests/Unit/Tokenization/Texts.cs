using FsCheck;
using FsCheck.Fluent;

namespace LlmCluster.Tests.Unit.Tokenization;

/// <summary>Texts that are well-formed and odd.</summary>
internal static class Texts
{
    private static readonly string[] Parts =
    [
        "hello", " world", "the", " The", "it's", "I'LL", "'\u017F", "1", "12345", "\u0663\u0664", "½", "\u2167", " ", "  ", "\t", "\n", "\r\n",
        "\u00A0", "\u3000", "\u0085", "\uFEFF", "\u200B", "!", "...", "é", "e\u0301", "日本", "한국", "각", "😀", "👩\u200D👧", "𐌰𐌱", "𝐀𝟙", "𠀀",
        "\uFFFD", "<|im_start|>", "<s>", "▁", "Ġ", "_", "-", "/", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];

    /// <summary>Parts that are met in texts, and any code points at all, in a row.</summary>
    public static Arbitrary<string> Any { get; } = Gen.OneOf(Gen.Elements(Parts), Gen.Elements(Parts), CodePoint()).ListOf()
        .Select(parts => string.Concat(parts))
        .ToArbitrary();

    private static Gen<string> CodePoint() =>
        Gen.OneOf(Gen.Choose(0, 0xD7FF), Gen.Choose(0xE000, 0xFFFF), Gen.Choose(0x10000, 0x10FFFF)).Select(char.ConvertFromUtf32);
}
