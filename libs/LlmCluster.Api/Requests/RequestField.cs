using System.Globalization;
using System.Text.Json;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>
/// A value of a request with its path, read strictly: whatever is not as expected throws an <see cref="ApiException"/>
/// that names the path. A field that is missing and one that is null are the same.
/// </summary>
internal readonly struct RequestField(JsonElement element, string path)
{
    public JsonElement Element { get; } = element;

    /// <summary>For example <c>messages.1.content</c>; empty for the request itself.</summary>
    public string Path { get; } = path;

    public bool IsPresent => Element.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    public JsonValueKind Kind => Element.ValueKind;

    /// <summary>A field of this object; missing when this is missing.</summary>
    public RequestField this[string name] => new(
        IsPresent && Element.TryGetProperty(name, out JsonElement value) ? value : default,
        Path.Length == 0 ? name : $"{Path}.{name}");

    /// <summary>Parses a whole request, which has to be a JSON object.</summary>
    public static RequestField ParseBody(ReadOnlySpan<byte> body)
    {
        try
        {
            var root = new RequestField(JsonElement.Parse(body), "");
            return root.Kind == JsonValueKind.Object
                ? root
                : throw ApiError.Invalid($"The request body must be a JSON object, but it is {Describe(root.Kind)}.", code: ApiErrorCodes.InvalidType).ToException();
        }
        catch (JsonException e)
        {
            throw ApiError.Invalid($"The request body is not valid JSON: {Reason(e)}", code: ApiErrorCodes.InvalidJson).ToException(e);
        }
    }

    public RequestField Required() => IsPresent
        ? this
        : throw ApiError.Invalid($"Missing required parameter: '{Path}'.", Path, ApiErrorCodes.MissingParameter).ToException();

    public ApiException Error(string message, string code = ApiErrorCodes.InvalidValue) =>
        ApiError.Invalid($"Invalid '{Path}': {message}", Path, code).ToException();

    public ApiException WrongType(string expected) =>
        ApiError.Invalid($"Invalid type for '{Path}': expected {expected}, but got {Describe(Kind)} instead.", Path, ApiErrorCodes.InvalidType).ToException();

    public string String()
    {
        if (Required().Kind != JsonValueKind.String)
        {
            throw WrongType("a string");
        }

        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw ApiError.Invalid($"Invalid '{Path}': the string holds bytes that are not UTF-8, or half of a surrogate pair.", Path, ApiErrorCodes.InvalidValue).ToException(e);
        }
    }

    public bool Boolean() => Required().Kind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw WrongType("a boolean"),
    };

    public int Int32(int minimum, int maximum)
    {
        long value = Int64();
        if (value < minimum)
        {
            throw Error($"{value} is below the minimum of {minimum}.", ApiErrorCodes.BelowMinimum);
        }

        return value <= maximum ? (int)value : throw Error($"{value} is above the maximum of {maximum}.", ApiErrorCodes.AboveMaximum);
    }

    public long Int64()
    {
        if (Required().Kind != JsonValueKind.Number)
        {
            throw WrongType("an integer");
        }

        if (Element.TryGetInt64(out long value))
        {
            return value;
        }

        // Clients that know one kind of number only write 16.0 for 16.
        if (Element.TryGetDouble(out double number) && Math.Abs(number) < 1L << 53 && Math.Floor(number) == number)
        {
            return (long)number;
        }

        throw Error(string.Create(CultureInfo.InvariantCulture, $"expected an integer of 64 bits, but got {Element.GetRawText()}."), ApiErrorCodes.InvalidType);
    }

    /// <param name="minimum">Least value allowed, or the bound that is not allowed itself with <paramref name="exclusive"/>.</param>
    /// <param name="maximum">Greatest value allowed.</param>
    /// <param name="exclusive">Whether <paramref name="minimum"/> itself is not allowed.</param>
    public float Single(float minimum, float maximum, bool exclusive = false)
    {
        if (Required().Kind != JsonValueKind.Number)
        {
            throw WrongType("a number");
        }

        float value = Element.TryGetSingle(out float number) ? number : float.NaN;
        if (!float.IsFinite(value))
        {
            throw Error($"{Element.GetRawText()} is out of range.");
        }

        if (value < minimum || (exclusive && value == minimum))
        {
            string bound = minimum.ToString(CultureInfo.InvariantCulture);
            throw Error($"{Element.GetRawText()} is too small. Expected a value {(exclusive ? "above" : "of at least")} {bound}.", ApiErrorCodes.BelowMinimum);
        }

        return value <= maximum
            ? value
            : throw Error($"{Element.GetRawText()} is above the maximum of {maximum.ToString(CultureInfo.InvariantCulture)}.", ApiErrorCodes.AboveMaximum);
    }

    /// <summary>The elements, with their paths.</summary>
    public RequestField[] Array(string expected = "an array")
    {
        if (Required().Kind != JsonValueKind.Array)
        {
            throw WrongType(expected);
        }

        var items = new RequestField[Element.GetArrayLength()];
        int i = 0;
        foreach (JsonElement item in Element.EnumerateArray())
        {
            items[i] = new RequestField(item, $"{Path}.{i.ToString(CultureInfo.InvariantCulture)}");
            i++;
        }

        return items;
    }

    /// <summary>An array of integers; paths are made for the one that is wrong only, since there may be many.</summary>
    public int[] Int32Array(int minimum, int maximum)
    {
        if (Required().Kind != JsonValueKind.Array)
        {
            throw WrongType("an array of integers");
        }

        var values = new int[Element.GetArrayLength()];
        int i = 0;
        foreach (JsonElement item in Element.EnumerateArray())
        {
            values[i] = item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int value) && value >= minimum && value <= maximum
                ? value
                : new RequestField(item, $"{Path}.{i.ToString(CultureInfo.InvariantCulture)}").Int32(minimum, maximum);
            i++;
        }

        return values;
    }

    public RequestField Object()
    {
        if (Required().Kind != JsonValueKind.Object)
        {
            throw WrongType("an object");
        }

        return this;
    }

    private static string Describe(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.True or JsonValueKind.False => "a boolean",
        _ => "null",
    };

    private static string Reason(JsonException e)
    {
        // The parser appends the position in its own notation.
        int suffix = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        string reason = suffix < 0 ? e.Message : e.Message[..suffix];
        return string.Create(CultureInfo.InvariantCulture, $"{reason} (line {(e.LineNumber ?? 0) + 1}, byte {(e.BytePositionInLine ?? 0) + 1})");
    }
}
