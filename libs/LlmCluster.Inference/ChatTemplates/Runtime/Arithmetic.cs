using System.Numerics;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>Arithmetic as in Python: integers of any size, true division, floor division and modulo that agree in sign.</summary>
internal static class Arithmetic
{
    private const int MaxBits = 4096;

    public static bool IsNumber(object? value) => value is bool or long or BigInteger or double;

    /// <summary>The order of two numbers; none with a NaN.</summary>
    public static int? Compare(object? left, object? right)
    {
        if (left is double || right is double)
        {
            double a = ToDouble(left);
            double b = ToDouble(right);
            return double.IsNaN(a) || double.IsNaN(b) ? null : a.CompareTo(b);
        }

        return ToInteger(left).CompareTo(ToInteger(right));
    }

    public static object? Sign(RenderState state, bool negative, object? value) => value switch
    {
        bool or long or BigInteger => Shrink(state, negative ? -ToInteger(value) : ToInteger(value)),
        double number => negative ? -number : number,
        _ => throw Unsupported(state, negative ? "-" : "+", value),
    };

    public static object? Apply(RenderState state, string operation, object? left, object? right)
    {
        if (IsNumber(left) && IsNumber(right))
        {
            return left is double || right is double || operation == "/"
                ? OnDoubles(state, operation, ToDouble(left), ToDouble(right))
                : OnIntegers(state, operation, ToInteger(left), ToInteger(right));
        }

        switch (operation, left, right)
        {
            case ("+", string a, string b):
                state.Produce(a.Length + b.Length);
                return a + b;
            case ("+", List<object?> a, List<object?> b):
                state.Produce(a.Count + b.Count);
                return new List<object?>([.. a, .. b]);
            case ("+", object?[] a, object?[] b):
                state.Produce(a.Length + b.Length);
                return (object?[])[.. a, .. b];
            case ("*", string or List<object?> or object?[], bool or long):
                return Repeat(state, left, ToInteger(right));
            case ("*", bool or long, string or List<object?> or object?[]):
                return Repeat(state, right, ToInteger(left));
            case ("%", string format, _):
                return PercentFormat.Format(state, format, right);
            default:
                throw Unsupported(state, operation, left, right);
        }
    }

    public static double ToDouble(object? value) => value switch
    {
        bool flag => flag ? 1 : 0,
        long number => number,
        BigInteger number => (double)number,
        double number => number,
        _ => throw new ArgumentException("The value is no number.", nameof(value)),
    };

    public static BigInteger ToInteger(object? value) => value switch
    {
        bool flag => flag ? 1 : 0,
        long number => number,
        BigInteger number => number,
        _ => throw new ArgumentException("The value is no integer.", nameof(value)),
    };

    /// <summary>An integer in its smaller form, if it fits.</summary>
    public static object Shrink(RenderState state, BigInteger value) =>
        value >= long.MinValue && value <= long.MaxValue ? (object)(long)value
        : value.GetBitLength() <= MaxBits ? value
        : throw state.Error($"the integer has more than {MaxBits} bits.");

    private static object OnIntegers(RenderState state, string operation, BigInteger left, BigInteger right)
    {
        switch (operation)
        {
            case "+":
                return Shrink(state, left + right);
            case "-":
                return Shrink(state, left - right);
            case "*":
                return Shrink(state, left * right);
            case "//" or "%":
                if (right.IsZero)
                {
                    throw state.Error("division by zero.");
                }

                var quotient = BigInteger.DivRem(left, right, out var remainder);
                if (!remainder.IsZero && remainder.Sign != right.Sign)
                {
                    quotient--;
                    remainder += right;
                }

                return Shrink(state, operation == "%" ? remainder : quotient);
            default:
                return right.Sign < 0 ? OnDoubles(state, "**", (double)left, (double)right)
                    : left.GetBitLength() * right <= MaxBits || BigInteger.Abs(left) <= 1 ? Shrink(state, Power(left, right))
                    : throw state.Error($"the integer has more than {MaxBits} bits.");
        }
    }

    private static BigInteger Power(BigInteger value, BigInteger exponent) =>
        BigInteger.Abs(value) <= 1
            ? (exponent.IsZero ? 1 : value.Sign < 0 && exponent.IsEven ? 1 : value)
            : BigInteger.Pow(value, (int)exponent);

    private static object OnDoubles(RenderState state, string operation, double left, double right)
    {
        if (operation is "/" or "//" or "%" && right == 0)
        {
            throw state.Error("division by zero.");
        }

        return operation switch
        {
            "+" => left + right,
            "-" => left - right,
            "*" => left * right,
            "/" => left / right,
            "//" => Math.Floor(left / right),
            "%" => Modulo(left, right),
            _ => Math.Pow(left, right),
        };
    }

    private static double Modulo(double left, double right)
    {
        double remainder = left % right;
        return remainder != 0 && remainder < 0 != right < 0 ? remainder + right : remainder;
    }

    private static object Repeat(RenderState state, object? value, BigInteger times)
    {
        int length = value switch { string text => text.Length, List<object?> list => list.Count, _ => ((object?[])value!).Length };
        times = BigInteger.Max(times, 0);
        var total = length * times;
        state.Produce(total > long.MaxValue / 2 ? long.MaxValue / 2 : (long)total);
        int count = length == 0 ? 0 : (int)times;
        return value switch
        {
            string text => new StringBuilder().Insert(0, text, count).ToString(),
            List<object?> list => Enumerable.Repeat(list, count).SelectMany(items => items).ToList(),
            _ => Enumerable.Repeat((object?[])value!, count).SelectMany(items => items).ToArray(),
        };
    }

    private static ChatTemplateException Unsupported(RenderState state, string operation, params object?[] operands)
    {
        var undefined = operands.OfType<Undefined>().FirstOrDefault();
        return state.Error(undefined is not null
            ? $"{undefined.Reason}, so \"{operation}\" can't be applied."
            : $"\"{operation}\" can't be applied to {string.Join(" and ", operands.Select(Values.TypeName))}.");
    }
}
