namespace LlmCluster.Inference.ChatTemplates.Syntax;

/// <summary>
/// Cuts a template into text and tags, with Jinja's white space rules: <c>-</c> takes all white space on its side;
/// statements and comments take the line break after them (<c>trim_blocks</c>) and the blanks before them when nothing
/// else is on the line (<c>lstrip_blocks</c>), unless a <c>+</c> forbids it.
/// </summary>
internal sealed class TemplateLexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private int _position;
    private int _line = 1;
    private bool _atLineStart = true;

    private TemplateLexer(string source)
    {
        // Jinja knows one line break, and drops one at the very end.
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    public static List<Token> Lex(string source)
    {
        var lexer = new TemplateLexer(source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_position < _source.Length)
        {
            int tag = FindTag(_position);
            if (tag < 0)
            {
                AddText(_source[_position..]);
                break;
            }

            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length && (_source[tag + 2] is '-' or '+') ? _source[tag + 2] : ' ';
            AddText(StripBefore(_source[_position..tag], kind, sign));
            Advance(tag + (sign == ' ' ? 2 : 3));
            switch (kind)
            {
                case '#':
                    Comment();
                    break;
                case '{':
                    Tag(TokenKind.OutputStart, TokenKind.OutputEnd, "}}");
                    break;
                default:
                    if (!TryRaw())
                    {
                        Tag(TokenKind.StatementStart, TokenKind.StatementEnd, "%}");
                    }

                    break;
            }
        }

        _tokens.Add(new Token(TokenKind.End, "", _line));
    }

    private int FindTag(int from)
    {
        for (int i = from; i + 1 < _source.Length; i++)
        {
            if (_source[i] == '{' && (_source[i + 1] is '{' or '%' or '#'))
            {
                return i;
            }
        }

        return -1;
    }

    private string StripBefore(string text, char kind, char sign)
    {
        if (sign == '-')
        {
            return text.TrimEnd();
        }

        if (kind == '{' || sign == '+')
        {
            return text;
        }

        int lineStart = text.LastIndexOf('\n') + 1;
        return (lineStart > 0 || _atLineStart) && text.AsSpan(lineStart).IsWhiteSpace() ? text[..lineStart] : text;
    }

    private void AddText(string text)
    {
        if (text.Length > 0)
        {
            _tokens.Add(new Token(TokenKind.Text, text, _line));
        }
    }

    private void Comment()
    {
        int start = _line;
        int end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0)
        {
            throw new ChatTemplateException(start, "the comment has no \"#}\".");
        }

        char sign = end > _position && (_source[end - 1] is '-' or '+') ? _source[end - 1] : ' ';
        Advance(end + 2);
        AfterTag(sign, trimsLineBreak: true);
    }

    /// <summary>Passes over what the end of a tag takes along.</summary>
    private void AfterTag(char sign, bool trimsLineBreak)
    {
        int end = _position;
        if (sign == '-')
        {
            while (end < _source.Length && char.IsWhiteSpace(_source[end]))
            {
                end++;
            }
        }
        else if (sign != '+' && trimsLineBreak && end < _source.Length && _source[end] == '\n')
        {
            end++;
        }

        Advance(end);
        _atLineStart = _position > 0 && _source[_position - 1] == '\n';
    }

    private void Tag(TokenKind start, TokenKind end, string close)
    {
        _tokens.Add(new Token(start, "", _line));
        var lexer = new ExpressionLexer(_source, _position, _line, close, _tokens);
        lexer.Run();
        _position = lexer.Position;
        _line = lexer.Line;
        _tokens.Add(new Token(end, "", _line));
        AfterTag(lexer.ClosingSign, trimsLineBreak: end == TokenKind.StatementEnd);
    }

    /// <summary>Reads <c>{% raw %}...{% endraw %}</c>, the start of the tag having been read.</summary>
    private bool TryRaw()
    {
        int start = _line;
        if (!TryBareTag(_position, "raw", out int bodyStart, out char sign))
        {
            return false;
        }

        Advance(bodyStart);
        AfterTag(sign, trimsLineBreak: true);
        for (int tag = _position; (tag = _source.IndexOf("{%", tag, StringComparison.Ordinal)) >= 0; tag += 2)
        {
            char opening = tag + 2 < _source.Length && (_source[tag + 2] is '-' or '+') ? _source[tag + 2] : ' ';
            if (TryBareTag(tag + (opening == ' ' ? 2 : 3), "endraw", out int after, out char closing))
            {
                AddText(StripBefore(_source[_position..tag], '%', opening));
                Advance(after);
                AfterTag(closing, trimsLineBreak: true);
                return true;
            }
        }

        throw new ChatTemplateException(start, "\"raw\" has no \"endraw\".");
    }

    private bool TryBareTag(int position, string name, out int end, out char sign)
    {
        end = position;
        sign = ' ';
        while (end < _source.Length && char.IsWhiteSpace(_source[end]))
        {
            end++;
        }

        if (string.CompareOrdinal(_source, end, name, 0, name.Length) != 0)
        {
            return false;
        }

        end += name.Length;
        while (end < _source.Length && char.IsWhiteSpace(_source[end]))
        {
            end++;
        }

        if (end < _source.Length && (_source[end] is '-' or '+'))
        {
            sign = _source[end++];
        }

        if (string.CompareOrdinal(_source, end, "%}", 0, 2) != 0)
        {
            return false;
        }

        end += 2;
        return true;
    }

    private void Advance(int position)
    {
        _line += _source.AsSpan(_position, position - _position).Count('\n');
        _position = position;
    }
}
