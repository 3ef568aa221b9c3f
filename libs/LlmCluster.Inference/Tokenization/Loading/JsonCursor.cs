using System.Text.Json;

namespace LlmCluster.Inference.Tokenization.Loading;

/// <summary>A JSON value that knows its file and path, so that every complaint about it can name both.</summary>
internal readonly struct JsonCursor(string file, string path, JsonElement element)
{
    public string File => file;

    public string Path => path;

    public JsonElement Element => element;

    /// <summary>Reads a file's root. The document lives as long as the process needs the cursor; it is not pooled.</summary>
    public static JsonCursor ReadFile(string file)
    {
        byte[] bytes;
        try
        {
            bytes = System.IO.File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TokenizerFormatException($"{file}: the file is missing.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerFormatException($"{file}: the file can't be read: {e.Message}", e);
        }

        try
        {
            ReadOnlyMemory<byte> json = bytes;
            if (json.Span.StartsWith("\uFEFF"u8))
            {
                json = json[3..];
            }

            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 128 });
            return new JsonCursor(file, "$", document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw new TokenizerFormatException(
                $"{file}: not valid JSON at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}: {e.Message}", e);
        }
    }

    /// <summary>The member of that name; none when it is absent or null.</summary>
    public JsonCursor? Optional(string name)
    {
        RequireKind(JsonValueKind.Object, "an object");
        return element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonCursor(file, $"{path}.{name}", value)
            : null;
    }

    /// <summary>The member of that name.</summary>
    public JsonCursor Required(string name) =>
        Optional(name) ?? throw Error($"the member \"{name}\" is missing.");

    public string GetString()
    {
        RequireKind(JsonValueKind.String, "a string");
        return element.GetString()!;
    }

    public bool GetBoolean() => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Error($"expected true or false, found {Describe(element)}."),
    };

    public int GetInt32() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int value)
            ? value
            : throw Error($"expected an integer, found {Describe(element)}.");

    public string GetString(string name, string fallback) => Optional(name)?.GetString() ?? fallback;

    public bool GetBoolean(string name, bool fallback) => Optional(name)?.GetBoolean() ?? fallback;

    public int GetInt32(string name, int fallback) => Optional(name)?.GetInt32() ?? fallback;

    /// <summary>The one UTF-16 unit of a member that must be a single character.</summary>
    public char GetChar(string name, char fallback)
    {
        if (Optional(name) is not { } member)
        {
            return fallback;
        }

        string value = member.GetString();
        return value.Length == 1 ? value[0] : throw member.Error($"expected one character, found \"{value}\".");
    }

    /// <summary>The elements of an array.</summary>
    public IEnumerable<JsonCursor> Items()
    {
        RequireKind(JsonValueKind.Array, "an array");
        return Enumerate(this);

        static IEnumerable<JsonCursor> Enumerate(JsonCursor self)
        {
            int index = 0;
            foreach (var item in self.Element.EnumerateArray())
            {
                yield return new JsonCursor(self.File, $"{self.Path}[{index++}]", item);
            }
        }
    }

    /// <summary>The members of an object.</summary>
    public IEnumerable<(string Name, JsonCursor Value)> Members()
    {
        RequireKind(JsonValueKind.Object, "an object");
        return Enumerate(this);

        static IEnumerable<(string, JsonCursor)> Enumerate(JsonCursor self)
        {
            foreach (var member in self.Element.EnumerateObject())
            {
                yield return (member.Name, new JsonCursor(self.File, $"{self.Path}.{member.Name}", member.Value));
            }
        }
    }

    public void RequireKind(JsonValueKind kind, string expected)
    {
        if (element.ValueKind != kind)
        {
            throw Error($"expected {expected}, found {Describe(element)}.");
        }
    }

    public TokenizerFormatException Error(string message, Exception? innerException = null) =>
        new($"{file}: {path}: {message}", innerException);

    /// <summary>For a component whose <c>type</c> is none of those that are known.</summary>
    public TokenizerFormatException UnknownType(string component, string type, string known) =>
        Error($"unknown {component} type \"{type}\"; known are {known}.");

    private static string Describe(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => $"the string \"{Shorten(element.GetString()!)}\"",
        JsonValueKind.Null or JsonValueKind.Undefined => "null",
        _ => element.GetRawText(),
    };

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
