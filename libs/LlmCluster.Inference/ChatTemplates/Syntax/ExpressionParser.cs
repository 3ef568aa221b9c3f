using System.Globalization;
using System.Numerics;
using LlmCluster.Inference.ChatTemplates.Nodes;

namespace LlmCluster.Inference.ChatTemplates.Syntax;

/// <summary>Reads expressions, with Jinja's precedence: filters and tests bind closest, then signs, powers, products, <c>~</c>, sums, comparisons, not, and, or, if.</summary>
internal sealed class ExpressionParser(TokenStream tokens)
{
    private static readonly string[] ComparisonOperators = ["==", "!=", "<", ">", "<=", ">="];

    /// <summary>An expression, or a tuple without brackets.</summary>
    public Expression ParseTuple()
    {
        int line = tokens.Current.Line;
        var first = Parse();
        return tokens.Current.Is(",") ? ParseTupleRest(line, first) : first;
    }

    /// <summary>An expression.</summary>
    /// <param name="allowCondition">Whether <c>a if b else c</c> is taken; not so before the <c>if</c> of a loop.</param>
    public Expression Parse(bool allowCondition = true)
    {
        tokens.Enter();
        var value = ParseOr();
        while (allowCondition && tokens.Current.Is("if"))
        {
            int line = tokens.Take().Line;
            var condition = ParseOr();
            var otherwise = tokens.TryTake("else") ? Parse() : null;
            value = new Conditional(line, condition, value, otherwise);
        }

        tokens.Leave();
        return value;
    }

    /// <summary><c>name(arguments)</c> or <c>name</c>, as after a <c>|</c>, and those that follow it.</summary>
    public FilterCall ParseFilters(Expression? target)
    {
        var filter = ParseFilter(target);
        while (tokens.TryTake("|"))
        {
            filter = ParseFilter(filter);
        }

        return filter;
    }

    private TupleLiteral ParseTupleRest(int line, Expression first)
    {
        var items = new List<Expression> { first };
        while (tokens.TryTake(","))
        {
            if (tokens.Current.Kind is TokenKind.OutputEnd or TokenKind.StatementEnd || tokens.Current.Is(")"))
            {
                break;
            }

            items.Add(Parse());
        }

        return new TupleLiteral(line, items);
    }

    private Expression ParseOr()
    {
        var left = ParseAnd();
        while (tokens.Current.Is("or"))
        {
            int line = tokens.Take().Line;
            left = new Or(line, left, ParseAnd());
        }

        return left;
    }

    private Expression ParseAnd()
    {
        var left = ParseNot();
        while (tokens.Current.Is("and"))
        {
            int line = tokens.Take().Line;
            left = new And(line, left, ParseNot());
        }

        return left;
    }

    private Expression ParseNot()
    {
        if (!tokens.Current.Is("not"))
        {
            return ParseComparison();
        }

        int line = tokens.Take().Line;
        tokens.Enter();
        var operand = ParseNot();
        tokens.Leave();
        return new Not(line, operand);
    }

    private Expression ParseComparison()
    {
        int line = tokens.Current.Line;
        var first = ParseSum();
        var rest = new List<(string, Expression)>();
        while (true)
        {
            if (Array.Find(ComparisonOperators, tokens.Current.Is) is { } operation)
            {
                tokens.Take();
                rest.Add((operation, ParseSum()));
            }
            else if (tokens.TryTake("in"))
            {
                rest.Add(("in", ParseSum()));
            }
            else if (tokens.Current.Is("not") && tokens.Following.Is("in"))
            {
                tokens.Take();
                tokens.Take();
                rest.Add(("not in", ParseSum()));
            }
            else
            {
                return rest.Count == 0 ? first : new Comparison(line, first, rest);
            }
        }
    }

    private Expression ParseSum() => ParseBinary(ParseConcatenation, "+", "-");

    private Expression ParseConcatenation()
    {
        int line = tokens.Current.Line;
        var first = ParseProduct();
        if (!tokens.Current.Is("~"))
        {
            return first;
        }

        var parts = new List<Expression> { first };
        while (tokens.TryTake("~"))
        {
            parts.Add(ParseProduct());
        }

        return new Concatenation(line, parts);
    }

    private Expression ParseProduct() => ParseBinary(ParsePower, "*", "/", "//", "%");

    private Expression ParsePower() => ParseBinary(() => ParseSign(withFilters: true), "**");

    private Expression ParseBinary(Func<Expression> operand, params string[] operations)
    {
        var left = operand();
        while (Array.Find(operations, tokens.Current.Is) is { } operation)
        {
            int line = tokens.Take().Line;
            left = new Binary(line, operation, left, operand());
        }

        return left;
    }

    private Expression ParseSign(bool withFilters)
    {
        int line = tokens.Current.Line;
        Expression value;
        if (tokens.Current.Is("-") || tokens.Current.Is("+"))
        {
            bool negative = tokens.Take().Text == "-";
            tokens.Enter();
            value = new Sign(line, negative, ParseSign(withFilters: false));
            tokens.Leave();
        }
        else
        {
            value = ParsePrimary();
        }

        value = ParsePostfix(value);
        return withFilters ? ParseFiltersAndTests(value) : value;
    }

    private Expression ParsePrimary()
    {
        var token = tokens.Take();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(token.Line, true),
                    "false" or "False" => new Literal(token.Line, false),
                    "none" or "None" => new Literal(token.Line, null),
                    _ => new Name(token.Line, token.Text),
                };

            case TokenKind.String:
                string text = token.Text;
                while (tokens.Current.Kind == TokenKind.String)
                {
                    text += tokens.Take().Text;
                }

                return new Literal(token.Line, text);

            case TokenKind.Integer:
                var integer = BigInteger.Parse(token.Text, CultureInfo.InvariantCulture);
                return new Literal(token.Line, integer >= long.MinValue && integer <= long.MaxValue ? (object)(long)integer : integer);

            case TokenKind.Float:
                return new Literal(token.Line, double.Parse(token.Text, CultureInfo.InvariantCulture));

            case TokenKind.Operator when token.Text == "(":
                if (tokens.TryTake(")"))
                {
                    return new TupleLiteral(token.Line, []);
                }

                var inner = ParseTuple();
                tokens.Expect(")");
                return inner;

            case TokenKind.Operator when token.Text == "[":
                return new ListLiteral(token.Line, ParseUntil("]", () => Parse()));

            case TokenKind.Operator when token.Text == "{":
                return new DictLiteral(token.Line, ParseUntil("}", ParseDictItem));

            default:
                throw new ChatTemplateException(token.Line, $"expected an expression, found {token.Describe()}.");
        }
    }

    private (Expression, Expression) ParseDictItem()
    {
        var key = Parse();
        tokens.Expect(":");
        return (key, Parse());
    }

    private List<T> ParseUntil<T>(string close, Func<T> item)
    {
        var items = new List<T>();
        while (!tokens.TryTake(close))
        {
            if (items.Count > 0)
            {
                tokens.Expect(",");
                if (tokens.TryTake(close))
                {
                    break;
                }
            }

            items.Add(item());
        }

        return items;
    }

    private Expression ParsePostfix(Expression value)
    {
        while (true)
        {
            int line = tokens.Current.Line;
            if (tokens.TryTake("."))
            {
                var name = tokens.Take();
                value = name.Kind switch
                {
                    TokenKind.Name => new AttributeAccess(line, value, name.Text),
                    TokenKind.Integer => new ItemAccess(line, value, new Literal(line, long.Parse(name.Text, CultureInfo.InvariantCulture))),
                    _ => throw new ChatTemplateException(name.Line, $"expected a name after \".\", found {name.Describe()}."),
                };
            }
            else if (tokens.TryTake("["))
            {
                value = ParseSubscript(line, value);
            }
            else if (tokens.Current.Is("("))
            {
                value = new Call(line, value, ParseArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private Expression ParseSubscript(int line, Expression target)
    {
        var parts = new Expression?[3];
        int colons = 0;
        while (!tokens.TryTake("]"))
        {
            if (tokens.TryTake(":"))
            {
                if (++colons > 2)
                {
                    throw tokens.Error("a slice has at most start, stop and step.");
                }
            }
            else if (parts[colons] is null)
            {
                parts[colons] = colons == 0 ? ParseTuple() : Parse();
            }
            else
            {
                throw tokens.Unexpected("\"]\"");
            }
        }

        return colons > 0 ? new SliceAccess(line, target, parts[0], parts[1], parts[2])
            : parts[0] is { } index ? new ItemAccess(line, target, index)
            : throw new ChatTemplateException(line, "the subscript is empty.");
    }

    private ArgumentList ParseArguments()
    {
        tokens.Expect("(");
        var positional = new List<(Expression, bool)>();
        var named = new List<(string?, Expression)>();
        while (!tokens.TryTake(")"))
        {
            if (positional.Count + named.Count > 0)
            {
                tokens.Expect(",");
                if (tokens.TryTake(")"))
                {
                    break;
                }
            }

            if (tokens.TryTake("*"))
            {
                positional.Add((Parse(), true));
            }
            else if (tokens.TryTake("**"))
            {
                named.Add((null, Parse()));
            }
            else if (tokens.Current.Kind == TokenKind.Name && tokens.Following.Is("="))
            {
                string name = tokens.Take().Text;
                tokens.Take();
                named.Add((name, Parse()));
            }
            else if (named.Count == 0)
            {
                positional.Add((Parse(), false));
            }
            else
            {
                throw tokens.Error("a positional argument comes after a named one.");
            }
        }

        return new ArgumentList(positional, named);
    }

    private Expression ParseFiltersAndTests(Expression value)
    {
        while (true)
        {
            if (tokens.TryTake("|"))
            {
                value = ParseFilter(value);
            }
            else if (tokens.Current.Is("is"))
            {
                value = ParseTest(value);
            }
            else if (tokens.Current.Is("("))
            {
                value = new Call(tokens.Current.Line, value, ParseArguments());
            }
            else
            {
                return value;
            }
        }
    }

    private FilterCall ParseFilter(Expression? target)
    {
        var name = tokens.Expect(TokenKind.Name, "the name of a filter");
        return new FilterCall(name.Line, target, name.Text, tokens.Current.Is("(") ? ParseArguments() : ArgumentList.Empty);
    }

    private TestCall ParseTest(Expression target)
    {
        int line = tokens.Take().Line;
        bool negated = tokens.TryTake("not");
        string name = tokens.Expect(TokenKind.Name, "the name of a test").Text;
        var arguments = ArgumentList.Empty;
        if (tokens.Current.Is("("))
        {
            arguments = ParseArguments();
        }
        else if (StartsTestArgument())
        {
            var argument = ParsePostfix(ParsePrimary());
            arguments = new ArgumentList([(argument, false)], []);
        }

        return new TestCall(line, target, name, arguments, negated);
    }

    private bool StartsTestArgument() => tokens.Current.Kind switch
    {
        TokenKind.String or TokenKind.Integer or TokenKind.Float => true,
        TokenKind.Name => tokens.Current.Text is not ("else" or "or" or "and" or "is" or "if" or "in" or "not"),
        TokenKind.Operator => tokens.Current.Text is "[" or "{",
        _ => false,
    };
}
