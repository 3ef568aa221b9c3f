namespace LlmCluster.Inference.ChatTemplates.Syntax;

/// <summary>The tokens of a template, read one by one.</summary>
internal sealed class TokenStream(List<Token> tokens)
{
    private const int MaxDepth = 100;

    private int _position;
    private int _depth;

    public Token Current => tokens[_position];

    public Token Following => tokens[Math.Min(_position + 1, tokens.Count - 1)];

    public Token Take()
    {
        var token = Current;
        if (_position + 1 < tokens.Count)
        {
            _position++;
        }

        return token;
    }

    public bool TryTake(string text)
    {
        if (!Current.Is(text))
        {
            return false;
        }

        Take();
        return true;
    }

    public Token Expect(string text) => Current.Is(text) ? Take() : throw Unexpected($"\"{text}\"");

    public Token Expect(TokenKind kind, string what) => Current.Kind == kind ? Take() : throw Unexpected(what);

    public ChatTemplateException Unexpected(string expected) =>
        Error($"expected {expected}, found {Current.Describe()}.");

    public ChatTemplateException Error(string message) => new(Current.Line, message);

    /// <summary>Goes one level deeper; too deep a nesting is refused, since it costs stack.</summary>
    public void Enter()
    {
        if (++_depth > MaxDepth)
        {
            throw Error($"the template is nested deeper than {MaxDepth} levels.");
        }
    }

    public void Leave() => _depth--;
}
