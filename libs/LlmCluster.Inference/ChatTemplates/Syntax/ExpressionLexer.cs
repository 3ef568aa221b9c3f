using System.Globalization;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Syntax;

/// <summary>Reads the tokens inside one tag, up to its end.</summary>
internal sealed class ExpressionLexer(string source, int position, int line, string close, List<Token> tokens)
{
    private static readonly string[] Operators =
    [
        "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", "|", ",", "(", ")", "[", "]", "{", "}",
    ];

    private int _open;

    /// <summary>Where the tag ends.</summary>
    public int Position { get; private set; } = position;

    public int Line { get; private set; } = line;

    /// <summary>The sign before the tag's end: <c>-</c>, <c>+</c>, or a space for none.</summary>
    public char ClosingSign { get; private set; } = ' ';

    public void Run()
    {
        int start = Line;
        while (true)
        {
            if (Position >= source.Length)
            {
                throw new ChatTemplateException(start, $"the tag has no \"{close}\".");
            }

            char c = source[Position];
            if (c == '\n')
            {
                Line++;
                Position++;
            }
            else if (char.IsWhiteSpace(c))
            {
                Position++;
            }
            else if (TryClose(c))
            {
                return;
            }
            else if (c is '"' or '\'')
            {
                ReadString(c);
            }
            else if (char.IsAsciiDigit(c))
            {
                ReadNumber();
            }
            else if (char.IsLetter(c) || c == '_')
            {
                ReadName();
            }
            else
            {
                ReadOperator();
            }
        }
    }

    private bool TryClose(char c)
    {
        // Inside brackets "}}" ends two dictionaries, not the tag.
        bool signed = c is '-' or '+';
        if (_open > 0 || string.CompareOrdinal(source, signed ? Position + 1 : Position, close, 0, 2) != 0)
        {
            return false;
        }

        ClosingSign = signed ? c : ' ';
        Position += signed ? 3 : 2;
        return true;
    }

    private void ReadName()
    {
        int start = Position;
        while (Position < source.Length && (char.IsLetterOrDigit(source[Position]) || source[Position] == '_'))
        {
            Position++;
        }

        Add(TokenKind.Name, source[start..Position]);
    }

    private void ReadNumber()
    {
        int start = Position;
        SkipDigits();
        bool isFloat = false;
        if (Position + 1 < source.Length && source[Position] == '.' && char.IsAsciiDigit(source[Position + 1]))
        {
            isFloat = true;
            Position++;
            SkipDigits();
        }

        if (Position < source.Length && (source[Position] is 'e' or 'E'))
        {
            int exponent = Position + 1;
            if (exponent < source.Length && (source[exponent] is '+' or '-'))
            {
                exponent++;
            }

            if (exponent < source.Length && char.IsAsciiDigit(source[exponent]))
            {
                isFloat = true;
                Position = exponent;
                SkipDigits();
            }
        }

        Add(isFloat ? TokenKind.Float : TokenKind.Integer, source[start..Position].Replace("_", "", StringComparison.Ordinal));
    }

    private void SkipDigits()
    {
        while (Position < source.Length && (char.IsAsciiDigit(source[Position]) || source[Position] == '_'))
        {
            Position++;
        }
    }

    private void ReadOperator()
    {
        string? found = Array.Find(Operators, text => string.CompareOrdinal(source, Position, text, 0, text.Length) == 0)
            ?? throw new ChatTemplateException(Line, $"unexpected character '{source[Position]}'.");
        if (found is "(" or "[" or "{")
        {
            _open++;
        }
        else if (found is ")" or "]" or "}")
        {
            _open = Math.Max(0, _open - 1);
        }

        Position += found.Length;
        Add(TokenKind.Operator, found);
    }

    private void ReadString(char quote)
    {
        int start = Line;
        var text = new StringBuilder();
        Position++;
        while (true)
        {
            if (Position >= source.Length)
            {
                throw new ChatTemplateException(start, "the string has no end.");
            }

            char c = source[Position++];
            if (c == quote)
            {
                break;
            }

            if (c == '\n')
            {
                Line++;
            }

            if (c == '\\' && Position < source.Length)
            {
                ReadEscape(text);
            }
            else
            {
                text.Append(c);
            }
        }

        tokens.Add(new Token(TokenKind.String, text.ToString(), start));
    }

    /// <summary>An escape as Python has it; one that is unknown stays as it is.</summary>
    private void ReadEscape(StringBuilder text)
    {
        char c = source[Position++];
        switch (c)
        {
            case 'n': text.Append('\n'); break;
            case 't': text.Append('\t'); break;
            case 'r': text.Append('\r'); break;
            case 'b': text.Append('\b'); break;
            case 'f': text.Append('\f'); break;
            case 'v': text.Append('\v'); break;
            case 'a': text.Append('\a'); break;
            case '\\' or '\'' or '"': text.Append(c); break;
            case '\n': Line++; break;
            case 'x': ReadHex(text, 2); break;
            case 'u': ReadHex(text, 4); break;
            case 'U': ReadHex(text, 8); break;
            case >= '0' and <= '7': ReadOctal(text, c); break;
            default: text.Append('\\').Append(c); break;
        }
    }

    private void ReadHex(StringBuilder text, int digits)
    {
        if (Position + digits > source.Length
            || !uint.TryParse(source.AsSpan(Position, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code)
            || code > 0x10FFFF)
        {
            throw new ChatTemplateException(Line, $"an escape needs {digits} hexadecimal digits of a code point.");
        }

        Position += digits;
        text.Append(code > char.MaxValue ? char.ConvertFromUtf32((int)code) : ((char)code).ToString());
    }

    private void ReadOctal(StringBuilder text, char first)
    {
        int code = first - '0';
        for (int i = 0; i < 2 && Position < source.Length && source[Position] is >= '0' and <= '7'; i++)
        {
            code = code * 8 + (source[Position++] - '0');
        }

        text.Append((char)code);
    }

    private void Add(TokenKind kind, string text) => tokens.Add(new Token(kind, text, Line));
}
