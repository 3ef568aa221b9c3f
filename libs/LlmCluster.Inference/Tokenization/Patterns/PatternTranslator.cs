using System.Text;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>
/// Rewrites an Oniguruma pattern (what <c>tokenizer.json</c> holds) for .NET. Everything that stands for characters
/// becomes explicit UTF-16 classes, so that a character beyond the basic plane is one character; case folding is written
/// out; possessive quantifiers become atomic groups. Structure is kept as it is.
/// </summary>
internal sealed class PatternTranslator
{
    private readonly PatternReader _reader;
    private readonly bool _withSurrogates;
    private readonly StringBuilder _output = new();
    private readonly Stack<(int Start, bool Quantifiable, Flags Flags)> _groups = new();
    private Flags _flags;
    private int _atomStart = -1;

    private PatternTranslator(string pattern, bool withSurrogates)
    {
        _reader = new PatternReader(pattern);
        _withSurrogates = withSurrogates;
    }

    private readonly record struct Flags(bool IgnoreCase, bool DotAll);

    /// <summary>Translates a pattern.</summary>
    /// <param name="pattern">The pattern in Oniguruma's syntax.</param>
    /// <param name="withSurrogates">Whether it will meet text with characters beyond the basic plane; it is faster without.</param>
    /// <exception cref="PatternException">The pattern is malformed, or uses what is not known here.</exception>
    public static string Translate(string pattern, bool withSurrogates)
    {
        var translator = new PatternTranslator(pattern, withSurrogates);
        translator.Run();
        return translator._output.ToString();
    }

    private void Run()
    {
        while (!_reader.AtEnd)
        {
            switch (_reader.Current)
            {
                case '(':
                    OpenGroup();
                    break;
                case ')':
                    CloseGroup();
                    break;
                case '|':
                    _reader.Position++;
                    _output.Append('|');
                    _atomStart = -1;
                    break;
                case '*' or '+' or '?':
                    Quantifier(_reader.TakeCodePoint() switch { '*' => "*", '+' => "+", _ => "?" }, interval: false, isFixed: false);
                    break;
                case '{' when TryInterval(out string interval, out bool isFixed):
                    Quantifier(interval, interval: true, isFixed);
                    break;
                case '[':
                    _reader.Position++;
                    Set(_reader.TakeClass(_flags.IgnoreCase));
                    break;
                case '.':
                    _reader.Position++;
                    Set(_flags.DotAll ? CodePointSet.All : CodePointSet.Of('\n').Complement());
                    break;
                case '^' or '$':
                    Assertion($"(?m:{(char)_reader.TakeCodePoint()})");
                    break;
                case '\\':
                    _reader.Position++;
                    Escape();
                    break;
                default:
                    Character(CodePointSet.Of(_reader.TakeCodePoint()));
                    break;
            }
        }

        if (_groups.Count > 0)
        {
            throw _reader.Error("')' is missing.");
        }
    }

    private void OpenGroup()
    {
        int start = _output.Length;
        if (_reader.TryTake("(?#"))
        {
            _reader.TakeUntil(')');
            return;
        }

        bool quantifiable = true;
        var outer = _flags;
        string[] plain = ["(?:", "(?>", "(?=", "(?!", "(?<=", "(?<!"];
        if (Array.Find(plain, _reader.TryTake) is { } opening)
        {
            _output.Append(opening);
            quantifiable = opening is "(?:" or "(?>";
        }
        else if (_reader.TryTake("(?<"))
        {
            _output.Append($"(?<{_reader.TakeUntil('>')}>");
        }
        else if (_reader.TryTake("(?"))
        {
            if (!TakeFlags())
            {
                return;
            }

            _output.Append("(?:");
        }
        else
        {
            _reader.Position++;
            _output.Append('(');
        }

        _groups.Push((start, quantifiable, outer));
        _atomStart = -1;
    }

    /// <summary>Reads <c>i-m:</c> or <c>i-m)</c>. Returns whether a group was opened; without one, the flags hold to the end of the group around.</summary>
    private bool TakeFlags()
    {
        bool on = true;
        while (true)
        {
            int c = _reader.TakeCodePoint();
            switch (c)
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _flags = _flags with { IgnoreCase = on };
                    break;
                case 'm' or 's':
                    _flags = _flags with { DotAll = on };
                    break;
                case ':':
                    return true;
                case ')':
                    return false;
                default:
                    _reader.Position--;
                    throw _reader.Error("the group's kind is not supported.");
            }
        }
    }

    private void CloseGroup()
    {
        if (_groups.Count == 0)
        {
            throw _reader.Error("')' has no '('.");
        }

        _reader.Position++;
        _output.Append(')');
        var group = _groups.Pop();
        _flags = group.Flags;
        _atomStart = group.Quantifiable ? group.Start : -1;
    }

    private void Quantifier(string quantifier, bool interval, bool isFixed)
    {
        if (_atomStart < 0)
        {
            throw _reader.Error("a quantifier has nothing to repeat.");
        }

        // In this syntax x{n}? is an optional x{n}, and x{n,m}+ repeats x{n,m}; only *, + and ? have possessive forms.
        _output.Append(quantifier);
        if (!isFixed && _reader.TryTake("?"))
        {
            _output.Append('?');
        }
        else if (!interval && _reader.TryTake("+"))
        {
            _output.Insert(_atomStart, "(?>").Append(')');
            return;
        }

        if (!_reader.AtEnd && _reader.Current is '*' or '+' or '?' or '{')
        {
            _output.Insert(_atomStart, "(?:").Append(')');
        }
    }

    private bool TryInterval(out string interval, out bool isFixed)
    {
        int start = _reader.Position;
        _reader.Position++;
        string least = TakeDigits();
        bool comma = _reader.TryTake(",");
        string most = comma ? TakeDigits() : "";
        isFixed = !comma;
        interval = comma ? $"{{{(least.Length == 0 ? "0" : least)},{most}}}" : $"{{{least}}}";
        if (least.Length + most.Length > 0 && _reader.TryTake("}"))
        {
            return true;
        }

        _reader.Position = start;
        return false;
    }

    private string TakeDigits()
    {
        var digits = new StringBuilder();
        while (!_reader.AtEnd && char.IsAsciiDigit(_reader.Current))
        {
            digits.Append(_reader.Current);
            _reader.Position++;
        }

        return digits.ToString();
    }

    private void Escape()
    {
        if (_reader.AtEnd)
        {
            throw _reader.Error("a backslash ends the pattern.");
        }

        char c = _reader.Current;
        switch (c)
        {
            case 'A' or 'z' or 'Z' or 'G':
                _reader.Position++;
                Assertion($"\\{c}");
                break;
            case 'b' or 'B':
                _reader.Position++;
                string word = Utf16Fragment.Of(UnicodeProperties.Word, _withSurrogates);
                Assertion(c == 'b'
                    ? $"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"
                    : $"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))");
                break;
            case 'R':
                _reader.Position++;
                Atom(@"(?>\r\n|[\n-\r\u0085\u2028\u2029])");
                break;
            case 'k':
                _reader.Position++;
                Atom(_reader.TryTake("<") ? $"\\k<{_reader.TakeUntil('>')}>" : throw _reader.Error("'<' is missing."));
                break;
            case >= '1' and <= '9':
                Atom($"(?:\\{TakeDigits()})");
                break;
            default:
                Character(_reader.TakeEscapedSet());
                break;
        }
    }

    private void Character(CodePointSet set) => Set(_flags.IgnoreCase ? set.IgnoreCase() : set);

    private void Set(CodePointSet set) => Atom(Utf16Fragment.Of(set, _withSurrogates));

    private void Atom(string fragment)
    {
        _atomStart = _output.Length;
        _output.Append(fragment);
    }

    private void Assertion(string fragment)
    {
        _output.Append(fragment);
        _atomStart = -1;
    }
}
