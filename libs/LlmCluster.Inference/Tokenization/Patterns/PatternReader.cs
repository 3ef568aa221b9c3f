using System.Globalization;
using System.Text;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>A pattern is malformed or uses what this library does not know.</summary>
internal sealed class PatternException(string pattern, int position, string message)
    : Exception($"the pattern /{pattern}/ can't be read at position {position}: {message}");

/// <summary>Reads an Oniguruma pattern code point by code point: escapes and character classes become sets.</summary>
internal sealed class PatternReader(string pattern)
{
    public int Position { get; set; }

    public bool AtEnd => Position >= pattern.Length;

    public char Current => pattern[Position];

    public bool StartsWith(string text) => string.CompareOrdinal(pattern, Position, text, 0, text.Length) == 0;

    public bool TryTake(string text)
    {
        if (!StartsWith(text))
        {
            return false;
        }

        Position += text.Length;
        return true;
    }

    public PatternException Error(string message) => new(pattern, Position, message);

    public int TakeCodePoint()
    {
        if (AtEnd)
        {
            throw Error("the pattern ends too early.");
        }

        if (Rune.DecodeFromUtf16(pattern.AsSpan(Position), out var rune, out int length) != System.Buffers.OperationStatus.Done)
        {
            throw Error("a surrogate stands alone.");
        }

        Position += length;
        return rune.Value;
    }

    /// <summary>Takes everything up to a character, and the character.</summary>
    public string TakeUntil(char end)
    {
        int found = pattern.IndexOf(end, Position);
        if (found < 0)
        {
            throw Error($"'{end}' is missing.");
        }

        string text = pattern[Position..found];
        Position = found + 1;
        return text;
    }

    /// <summary>Reads what comes after a backslash and stands for one of several characters, or for one.</summary>
    public CodePointSet TakeEscapedSet()
    {
        int start = Position;
        char c = (char)Math.Min(TakeCodePoint(), char.MaxValue);
        switch (c)
        {
            case 's': return UnicodeProperties.Space;
            case 'S': return UnicodeProperties.Space.Complement();
            case 'w': return UnicodeProperties.Word;
            case 'W': return UnicodeProperties.Word.Complement();
            case 'd': return UnicodeProperties.Digit;
            case 'D': return UnicodeProperties.Digit.Complement();
            case 'h': return UnicodeProperties.HexDigit;
            case 'H': return UnicodeProperties.HexDigit.Complement();
            case 'p' or 'P':
                return TakeProperty(negated: c == 'P');
            case 'n': return CodePointSet.Of('\n');
            case 'r': return CodePointSet.Of('\r');
            case 't': return CodePointSet.Of('\t');
            case 'f': return CodePointSet.Of('\f');
            case 'v': return CodePointSet.Of('\v');
            case 'a': return CodePointSet.Of('\a');
            case 'e': return CodePointSet.Of('\e');
            case 'u': return CodePointSet.Of(TakeHex(4, 4));
            case 'x':
                if (!TryTake("{"))
                {
                    return CodePointSet.Of(TakeHex(1, 2));
                }

                int value = TakeHex(1, 8);
                return TryTake("}") ? CodePointSet.Of(value) : throw Error("'}' is missing.");
            case >= '0' and <= '7':
                Position = start;
                return CodePointSet.Of(TakeOctal());
            case (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or '8' or '9':
                throw Error($"the escape \\{c} is not supported.");
            default:
                Position = start;
                return CodePointSet.Of(TakeCodePoint());
        }
    }

    /// <summary>Reads a character class, the opening bracket having been taken.</summary>
    public CodePointSet TakeClass(bool ignoreCase)
    {
        bool negated = TryTake("^");
        var result = CodePointSet.All;
        var set = CodePointSet.Empty;
        bool first = true;
        while (first || !TryTake("]"))
        {
            if (TryTake("&&"))
            {
                result = result.Intersect(set);
                set = CodePointSet.Empty;
            }
            else
            {
                set = set.Union(TakeClassItem());
            }

            first = false;
        }

        result = result.Intersect(set);
        if (ignoreCase)
        {
            result = result.IgnoreCase();
        }

        return negated ? result.Complement() : result;
    }

    private CodePointSet TakeClassItem()
    {
        if (TryTake("[:"))
        {
            bool negated = TryTake("^");
            string name = TakeUntil(':');
            if (!TryTake("]"))
            {
                throw Error("\":]\" is missing.");
            }

            var set = UnicodeProperties.Find(name) ?? throw Error($"unknown POSIX bracket \"{name}\".");
            return negated ? set.Complement() : set;
        }

        if (TryTake("["))
        {
            return TakeClass(ignoreCase: false);
        }

        var item = TryTake("\\") ? TakeClassEscape() : CodePointSet.Of(TakeCodePoint());
        bool single = item.Ranges.Length == 1 && item.Ranges[0].First == item.Ranges[0].Last;
        if (!single || !StartsWith("-") || Position + 1 >= pattern.Length || pattern[Position + 1] == ']')
        {
            return item;
        }

        Position++;
        if (StartsWith("["))
        {
            return item.Union(CodePointSet.Of('-'));
        }

        var last = TryTake("\\") ? TakeClassEscape() : CodePointSet.Of(TakeCodePoint());
        if (last.Ranges.Length != 1 || last.Ranges[0].First != last.Ranges[0].Last)
        {
            return item.Union(CodePointSet.Of('-')).Union(last);
        }

        return item.Ranges[0].First <= last.Ranges[0].First
            ? CodePointSet.Range(item.Ranges[0].First, last.Ranges[0].First)
            : throw Error("a range in a class runs backwards.");
    }

    private CodePointSet TakeClassEscape() => TryTake("b") ? CodePointSet.Of('\b') : TakeEscapedSet();

    private CodePointSet TakeProperty(bool negated)
    {
        if (!TryTake("{"))
        {
            throw Error("'{' is missing.");
        }

        negated ^= TryTake("^");
        string name = TakeUntil('}');
        string plain = name.StartsWith("Script=", StringComparison.OrdinalIgnoreCase) ? name[7..] : name;
        var set = UnicodeProperties.Find(plain) ?? throw Error($"unknown property \"{name}\".");
        return negated ? set.Complement() : set;
    }

    private int TakeHex(int least, int most)
    {
        int length = 0;
        while (length < most && Position + length < pattern.Length && char.IsAsciiHexDigit(pattern[Position + length]))
        {
            length++;
        }

        if (length < least)
        {
            throw Error("hexadecimal digits are missing.");
        }

        uint value = uint.Parse(pattern.AsSpan(Position, length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        Position += length;
        return value <= CodePointSet.Highest ? (int)value : throw Error("the code point is beyond U+10FFFF.");
    }

    private int TakeOctal()
    {
        int value = 0;
        for (int digits = 0; digits < 3 && !AtEnd && Current is >= '0' and <= '7'; digits++)
        {
            value = value * 8 + (pattern[Position++] - '0');
        }

        return value;
    }
}
