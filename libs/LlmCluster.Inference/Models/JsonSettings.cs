using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>
/// An object in a checkpoint's JSON file, read key by key. Every failure names the file, the key, what was expected
/// and what was found. A key with the value null counts as absent.
/// </summary>
internal readonly struct JsonSettings
{
    /// <summary>The largest whole number that is accepted for a size; keeps products of two within 64 bits.</summary>
    public const int MaxSize = 1 << 30;

    private readonly string _prefix;
    private readonly JsonElement _element;

    private JsonSettings(string file, string prefix, JsonElement element)
    {
        File = file;
        _prefix = prefix;
        _element = element;
    }

    /// <summary>Path of the file.</summary>
    public string File { get; }

    /// <summary>Reads a file whose content is a JSON object.</summary>
    /// <exception cref="CheckpointException">The file is missing, or holds something else.</exception>
    public static JsonSettings Read(string file)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(System.IO.File.ReadAllBytes(file));
            CheckText(document.RootElement);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonSettings(file, "", document.RootElement.Clone())
                : throw new CheckpointException(file, "must hold a JSON object.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException(file, $"is no valid JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new CheckpointException(file, $"holds a string that is no valid text: {e.Message}", e);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException(file, "is missing; a checkpoint in Hugging Face layout has it.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException(file, $"can't be read: {e.Message}", e);
        }
    }

    /// <summary>Whether the key is there at all, null included.</summary>
    public bool Has(string key) => _element.TryGetProperty(key, out _);

    /// <summary>The value, unless absent or null.</summary>
    public JsonElement? Find(string key) =>
        _element.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? value : null;

    /// <summary>A key's whole number of at least <paramref name="minimum"/>, or null.</summary>
    public int? FindInt(string key, int minimum = 1)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number >= minimum && number <= MaxSize
            ? number
            : throw Wrong(key, $"a whole number from {minimum} to {MaxSize}", value);
    }

    /// <summary>A key's whole number of at least <paramref name="minimum"/>.</summary>
    public int Int(string key, int minimum = 1) => FindInt(key, minimum) ?? throw Missing(key, "a whole number");

    /// <summary>A key's number, or null.</summary>
    public double? FindNumber(string key, double minimum, bool exclusive = false)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)
            && (exclusive ? number > minimum : number >= minimum)
            ? number
            : throw Wrong(key, exclusive ? $"a number greater than {minimum}" : $"a number of at least {minimum}", value);
    }

    /// <summary>A key's number.</summary>
    public double Number(string key, double minimum, bool exclusive = false) =>
        FindNumber(key, minimum, exclusive) ?? throw Missing(key, "a number");

    /// <summary>A key's truth value, or null.</summary>
    public bool? FindBool(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Wrong(key, "true or false", value),
    };

    /// <summary>A key's text, or null.</summary>
    public string? FindText(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Wrong(key, "a string", value),
    };

    /// <summary>A key's array of strings, or null.</summary>
    public string[]? FindTexts(string key)
    {
        if (Find(key) is not { } value)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(static item => item.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(static item => item.GetString()!)]
            : throw Wrong(key, "an array of strings", value);
    }

    /// <summary>A key's object, or null.</summary>
    public JsonSettings? FindObject(string key) => Find(key) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonSettings(File, $"{_prefix}{key}.", value),
        { } value => throw Wrong(key, "an object", value),
    };

    /// <summary>The keys with their values, duplicates included.</summary>
    public IEnumerable<JsonProperty> Properties() => _element.EnumerateObject();

    /// <summary>The exception for a key that must be there.</summary>
    public CheckpointException Missing(string key, string expected) =>
        new(File, $"key '{_prefix}{key}' is missing; expected {expected}.");

    /// <summary>The exception for a key whose value is of no use.</summary>
    public CheckpointException Wrong(string key, string expected, JsonElement found)
    {
        string text = found.GetRawText();
        return new CheckpointException(File, $"key '{_prefix}{key}' must be {expected}, found {(text.Length <= 80 ? text : text[..80] + "...")}.");
    }

    /// <summary>The exception for a key whose value the engine does not support.</summary>
    public CheckpointException Unsupported(string key, string problem) =>
        new(File, $"key '{_prefix}{key}': {problem}");

    /// <summary>Reads every string once, because one with half a surrogate pair throws only then.</summary>
    private static void CheckText(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                {
                    CheckText(item);
                }

                break;
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    CheckText(property.Value);
                }

                break;
        }
    }
}
