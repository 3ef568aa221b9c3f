using System.Collections.Concurrent;
using System.Globalization;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>
/// The properties that <c>\p{...}</c> and <c>[[:...:]]</c> name: general categories, POSIX brackets as Oniguruma has them
/// for Unicode, and the scripts of East Asia.
/// </summary>
internal static class UnicodeProperties
{
    private static readonly ConcurrentDictionary<string, CodePointSet?> Cache = new();

    public static CodePointSet Word => Find("word")!;

    public static CodePointSet Digit => Find("nd")!;

    public static CodePointSet Space => Find("space")!;

    public static CodePointSet HexDigit => Find("xdigit")!;

    /// <summary>The set of a name, in any case and with or without <c>_</c>, <c>-</c> and spaces; none for an unknown name.</summary>
    public static CodePointSet? Find(string name)
    {
        string plain = new([.. name.Where(c => c is not ('_' or '-' or ' ')).Select(char.ToLowerInvariant)]);
        return Cache.GetOrAdd(plain, Build);
    }

    private static CodePointSet? Build(string name) => name switch
    {
        "any" => CodePointSet.All,
        "ascii" => CodePointSet.Range(0, 0x7F),
        "word" => CodePointSet.Where(UnicodeClasses.IsWord),
        "space" or "whitespace" => CodePointSet.Where(UnicodeClasses.IsSpace),
        "blank" => Find("zs")!.Union(CodePointSet.Of('\t')),
        "xdigit" or "asciihexdigit" => CodePointSet.FromRanges([('0', '9'), ('A', 'F'), ('a', 'f')]),
        "digit" => Find("nd"),
        "cntrl" => Find("cc"),
        "alpha" or "alphabetic" => Find("word")!.Intersect(Find("nd")!.Union(Find("pc")!).Union(Find("me")!).Complement()),
        "alnum" => Find("alpha")!.Union(Find("nd")!),
        "upper" or "uppercase" => Find("lu"),
        "lower" or "lowercase" => Find("ll"),
        "punct" => Find("p")!.Union(Find("s")!),
        "graph" => Find("space")!.Union(Find("cc")!).Union(Find("cn")!).Union(Find("cs")!).Complement(),
        "print" => Find("graph")!.Union(Find("zs")!),
        "han" => Scripts.Han,
        "hiragana" => Scripts.Hiragana,
        "katakana" => Scripts.Katakana,
        "hangul" => Scripts.Hangul,
        _ => Categories(name) is { } categories ? CodePointSet.OfCategories(c => categories.Contains(c)) : null,
    };

    private static UnicodeCategory[]? Categories(string name)
    {
        string shortName = name switch
        {
            "letter" => "l",
            "casedletter" or "l&" => "lc",
            "uppercaseletter" => "lu",
            "lowercaseletter" => "ll",
            "titlecaseletter" => "lt",
            "modifierletter" => "lm",
            "otherletter" => "lo",
            "mark" or "combiningmark" => "m",
            "nonspacingmark" => "mn",
            "spacingmark" => "mc",
            "enclosingmark" => "me",
            "number" => "n",
            "decimalnumber" => "nd",
            "letternumber" => "nl",
            "othernumber" => "no",
            "punctuation" => "p",
            "connectorpunctuation" => "pc",
            "dashpunctuation" => "pd",
            "openpunctuation" => "ps",
            "closepunctuation" => "pe",
            "initialpunctuation" => "pi",
            "finalpunctuation" => "pf",
            "otherpunctuation" => "po",
            "symbol" => "s",
            "mathsymbol" => "sm",
            "currencysymbol" => "sc",
            "modifiersymbol" => "sk",
            "othersymbol" => "so",
            "separator" => "z",
            "spaceseparator" => "zs",
            "lineseparator" => "zl",
            "paragraphseparator" => "zp",
            "other" => "c",
            "control" => "cc",
            "format" => "cf",
            "surrogate" => "cs",
            "privateuse" => "co",
            "unassigned" => "cn",
            _ => name,
        };
        if (shortName == "lc")
        {
            return [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter];
        }

        // The order of UnicodeCategory.
        string[] names =
        [
            "lu", "ll", "lt", "lm", "lo", "mn", "mc", "me", "nd", "nl", "no", "zs", "zl", "zp", "cc", "cf", "cs", "co", "pc",
            "pd", "ps", "pe", "pi", "pf", "po", "sm", "sc", "sk", "so", "cn",
        ];
        UnicodeCategory[] found =
        [
            .. Enumerable.Range(0, names.Length)
                .Where(i => names[i] == shortName || (shortName.Length == 1 && names[i][0] == shortName[0]))
                .Select(i => (UnicodeCategory)i),
        ];
        return found.Length > 0 ? found : null;
    }

    /// <summary>The Script property (Unicode 16) of the scripts that tokenizers' patterns name.</summary>
    private static class Scripts
    {
        public static CodePointSet Han => CodePointSet.FromRanges(
        [
            (0x2E80, 0x2E99), (0x2E9B, 0x2EF3), (0x2F00, 0x2FD5), (0x3005, 0x3005), (0x3007, 0x3007), (0x3021, 0x3029),
            (0x3038, 0x303B), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFA6D), (0xFA70, 0xFAD9), (0x16FE2, 0x16FE3),
            (0x16FF0, 0x16FF1), (0x20000, 0x2A6DF), (0x2A700, 0x2B739), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1),
            (0x2CEB0, 0x2EBE0), (0x2EBF0, 0x2EE5D), (0x2F800, 0x2FA1D), (0x30000, 0x3134A), (0x31350, 0x323AF),
        ]);

        public static CodePointSet Hiragana => CodePointSet.FromRanges(
        [
            (0x3041, 0x3096), (0x309D, 0x309F), (0x1B001, 0x1B11F), (0x1B132, 0x1B132), (0x1B150, 0x1B152), (0x1F200, 0x1F200),
        ]);

        public static CodePointSet Katakana => CodePointSet.FromRanges(
        [
            (0x30A1, 0x30FA), (0x30FD, 0x30FF), (0x31F0, 0x31FF), (0x32D0, 0x32FE), (0x3300, 0x3357), (0xFF66, 0xFF6F),
            (0xFF71, 0xFF9D), (0x1AFF0, 0x1AFF3), (0x1AFF5, 0x1AFFB), (0x1AFFD, 0x1AFFE), (0x1B000, 0x1B000),
            (0x1B120, 0x1B122), (0x1B155, 0x1B155), (0x1B164, 0x1B167),
        ]);

        public static CodePointSet Hangul => CodePointSet.FromRanges(
        [
            (0x1100, 0x11FF), (0x302E, 0x302F), (0x3131, 0x318E), (0x3200, 0x321E), (0x3260, 0x327E), (0xA960, 0xA97C),
            (0xAC00, 0xD7A3), (0xD7B0, 0xD7C6), (0xD7CB, 0xD7FB), (0xFFA0, 0xFFBE), (0xFFC2, 0xFFC7), (0xFFCA, 0xFFCF),
            (0xFFD2, 0xFFD7), (0xFFDA, 0xFFDC),
        ]);
    }
}
