namespace LlmCluster.Inference.ChatTemplates.Syntax;

internal enum TokenKind
{
    /// <summary>Text between tags.</summary>
    Text,

    /// <summary><c>{{</c>.</summary>
    OutputStart,

    /// <summary><c>}}</c>.</summary>
    OutputEnd,

    /// <summary><c>{%</c>.</summary>
    StatementStart,

    /// <summary><c>%}</c>.</summary>
    StatementEnd,

    /// <summary>A name or keyword.</summary>
    Name,

    /// <summary>A quoted string, unescaped.</summary>
    String,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A number with a fraction or an exponent.</summary>
    Float,

    /// <summary>An operator or a bracket.</summary>
    Operator,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text, escapes resolved.</param>
/// <param name="Line">Its line, from 1 on.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool Is(string text) => Kind is TokenKind.Name or TokenKind.Operator && Text == text;

    /// <summary>For messages.</summary>
    public string Describe() => Kind switch
    {
        TokenKind.Text => "text",
        TokenKind.OutputEnd => "\"}}\"",
        TokenKind.StatementEnd => "\"%}\"",
        TokenKind.End => "the end of the template",
        TokenKind.String => $"the string '{Text}'",
        _ => $"\"{Text}\"",
    };
}
