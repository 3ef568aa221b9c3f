using LlmCluster.Inference.ChatTemplates.Nodes;

namespace LlmCluster.Inference.ChatTemplates.Syntax;

/// <summary>Reads statements and puts a template together.</summary>
internal sealed class TemplateParser
{
    private readonly TokenStream _tokens;
    private readonly ExpressionParser _expressions;
    private int _loops;

    private TemplateParser(string source)
    {
        _tokens = new TokenStream(TemplateLexer.Lex(source));
        _expressions = new ExpressionParser(_tokens);
    }

    /// <exception cref="ChatTemplateException">The template is malformed.</exception>
    public static Block Parse(string source)
    {
        var parser = new TemplateParser(source);
        return parser.ParseBlock(opening: null, line: 1);
    }

    /// <summary>
    /// Statements up to a tag that starts with one of the names, which is left at its name; without names, up to the end.
    /// </summary>
    private Block ParseBlock(string? opening, int line, params ReadOnlySpan<string> ends)
    {
        _tokens.Enter();
        var statements = new List<Statement>();
        while (_tokens.Current.Kind != TokenKind.End)
        {
            var token = _tokens.Take();
            switch (token.Kind)
            {
                case TokenKind.Text:
                    statements.Add(new TextStatement(token.Line, token.Text));
                    break;

                case TokenKind.OutputStart:
                    statements.Add(new OutputStatement(token.Line, _expressions.ParseTuple()));
                    _tokens.Expect(TokenKind.OutputEnd, "\"}}\"");
                    break;

                default:
                    if (ends.Contains(_tokens.Current.Text) && _tokens.Current.Kind == TokenKind.Name)
                    {
                        _tokens.Leave();
                        return new Block(line, statements);
                    }

                    statements.Add(ParseStatement());
                    break;
            }
        }

        if (opening is not null)
        {
            throw new ChatTemplateException(line, $"\"{opening}\" has no \"{ends[^1]}\".");
        }

        _tokens.Leave();
        return new Block(line, statements);
    }

    private Statement ParseStatement()
    {
        var name = _tokens.Expect(TokenKind.Name, "the name of a statement");
        return name.Text switch
        {
            "if" => ParseIf(name.Line),
            "for" => ParseFor(name.Line),
            "set" => ParseSet(name.Line),
            "macro" => ParseMacro(name.Line),
            "call" => ParseCall(name.Line),
            "filter" => ParseFilter(name.Line),
            "with" => ParseWith(name.Line),
            "generation" => ParseGeneration(name.Line),
            "break" => ParseJump(name.Line, Flow.Break),
            "continue" => ParseJump(name.Line, Flow.Continue),
            var other => throw new ChatTemplateException(
                name.Line,
                $"unexpected statement \"{other}\"; known are if, for, set, macro, call, filter, with, generation, raw, break and continue."),
        };
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        while (true)
        {
            var condition = _expressions.ParseTuple();
            EndTag();
            branches.Add((condition, ParseBlock("if", line, "elif", "else", "endif")));
            string end = _tokens.Take().Text;
            if (end == "elif")
            {
                continue;
            }

            if (end == "else")
            {
                EndTag();
                otherwise = ParseBlock("if", line, "endif");
                _tokens.Take();
            }

            EndTag();
            return new IfStatement(line, branches, otherwise);
        }
    }

    private ForStatement ParseFor(int line)
    {
        var target = ParseTarget();
        _tokens.Expect("in");
        int itemsLine = _tokens.Current.Line;
        Expression items = _expressions.Parse(allowCondition: false);
        if (_tokens.Current.Is(","))
        {
            var parts = new List<Expression> { items };
            while (_tokens.TryTake(","))
            {
                parts.Add(_expressions.Parse(allowCondition: false));
            }

            items = new TupleLiteral(itemsLine, parts);
        }

        var condition = _tokens.TryTake("if") ? _expressions.Parse() : null;
        if (_tokens.Current.Is("recursive"))
        {
            throw _tokens.Error("recursive loops are not supported.");
        }

        EndTag();
        _loops++;
        var body = ParseBlock("for", line, "else", "endfor");
        _loops--;
        Block? otherwise = null;
        if (_tokens.Take().Text == "else")
        {
            EndTag();
            otherwise = ParseBlock("for", line, "endfor");
            _tokens.Take();
        }

        EndTag();
        return new ForStatement(line, target, items, condition, body, otherwise);
    }

    private Statement ParseSet(int line)
    {
        var target = ParseTarget();
        if (_tokens.TryTake("="))
        {
            var value = _expressions.ParseTuple();
            EndTag();
            return new SetStatement(line, target, value);
        }

        var filter = _tokens.TryTake("|") ? _expressions.ParseFilters(target: null) : null;
        EndTag();
        return new SetBlockStatement(line, target, filter, ParseBody("set", line));
    }

    private MacroStatement ParseMacro(int line)
    {
        string name = _tokens.Expect(TokenKind.Name, "the macro's name").Text;
        var parameters = ParseParameters();
        EndTag();
        return new MacroStatement(new MacroDefinition(line, name, parameters, ParseBody("macro", line)));
    }

    private CallStatement ParseCall(int line)
    {
        List<(string, Expression?)> parameters = _tokens.Current.Is("(") ? ParseParameters() : [];
        if (_expressions.Parse() is not Call call)
        {
            throw new ChatTemplateException(line, "\"call\" needs a call, such as name(...).");
        }

        EndTag();
        return new CallStatement(line, call, new MacroDefinition(line, "caller", parameters, ParseBody("call", line)));
    }

    private FilterStatement ParseFilter(int line)
    {
        var filter = _expressions.ParseFilters(target: null);
        EndTag();
        return new FilterStatement(line, filter, ParseBody("filter", line));
    }

    private WithStatement ParseWith(int line)
    {
        var assignments = new List<(Target, Expression)>();
        while (_tokens.Current.Kind != TokenKind.StatementEnd)
        {
            if (assignments.Count > 0)
            {
                _tokens.Expect(",");
            }

            var target = ParseTarget();
            _tokens.Expect("=");
            assignments.Add((target, _expressions.Parse()));
        }

        EndTag();
        return new WithStatement(line, assignments, ParseBlockAndEnd("with", line));
    }

    private WithStatement ParseGeneration(int line)
    {
        EndTag();
        return new WithStatement(line, [], ParseBlockAndEnd("generation", line));
    }

    private JumpStatement ParseJump(int line, Flow flow)
    {
        if (_loops == 0)
        {
            throw new ChatTemplateException(line, "break and continue belong into a loop.");
        }

        EndTag();
        return new JumpStatement(line, flow);
    }

    /// <summary>The body of a statement that loops around it do not reach into, up to and with its end tag.</summary>
    private Block ParseBody(string name, int line)
    {
        int loops = _loops;
        _loops = 0;
        var body = ParseBlockAndEnd(name, line);
        _loops = loops;
        return body;
    }

    private Block ParseBlockAndEnd(string name, int line)
    {
        var body = ParseBlock(name, line, "end" + name);
        _tokens.Take();
        if (name == "macro" && _tokens.Current.Kind == TokenKind.Name)
        {
            _tokens.Take();
        }

        EndTag();
        return body;
    }

    private List<(string Name, Expression? Default)> ParseParameters()
    {
        var parameters = new List<(string, Expression?)>();
        _tokens.Expect("(");
        while (!_tokens.TryTake(")"))
        {
            if (parameters.Count > 0)
            {
                _tokens.Expect(",");
                if (_tokens.TryTake(")"))
                {
                    break;
                }
            }

            string name = _tokens.Expect(TokenKind.Name, "the name of a parameter").Text;
            parameters.Add((name, _tokens.TryTake("=") ? _expressions.Parse() : null));
        }

        return parameters;
    }

    /// <summary>What is assigned to: a name, an attribute of a namespace, or several of them.</summary>
    private Target ParseTarget()
    {
        int line = _tokens.Current.Line;
        var targets = new List<Target>();
        bool bracketed = _tokens.TryTake("(");
        bool several = false;
        do
        {
            if (targets.Count > 0 && _tokens.Current.Kind != TokenKind.Name && !_tokens.Current.Is("("))
            {
                break;
            }

            targets.Add(_tokens.Current.Is("(") ? ParseTarget() : ParseSingleTarget());
        }
        while (_tokens.TryTake(",") && (several = true));

        if (bracketed)
        {
            _tokens.Expect(")");
        }

        return several ? new TupleTarget(line, targets) : targets[0];
    }

    private Target ParseSingleTarget()
    {
        var name = _tokens.Expect(TokenKind.Name, "a name to assign to");
        return _tokens.TryTake(".")
            ? new NamespaceTarget(name.Line, name.Text, _tokens.Expect(TokenKind.Name, "the name of an attribute").Text)
            : new NameTarget(name.Line, name.Text);
    }

    private void EndTag() => _tokens.Expect(TokenKind.StatementEnd, "\"%}\"");
}
