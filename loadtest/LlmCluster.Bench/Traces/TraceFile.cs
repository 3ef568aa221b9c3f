using System.Text.Json;

namespace LlmCluster.Bench.Traces;

/// <summary>
/// Reads traces of requests in the format of Mooncake's (github.com/kvcache-ai/Mooncake): a JSON object a line with <c>timestamp</c> (milliseconds), <c>input_length</c>
/// and <c>output_length</c> (tokens) and <c>hash_ids</c> (one a block of the prompt). Other fields are ignored, and so are empty lines.
/// </summary>
public static class TraceFile
{
    /// <summary>Reads a trace.</summary>
    /// <returns>The requests in order of time, those of one time in order of lines; at least one.</returns>
    /// <exception cref="IOException">The file can't be read; a <see cref="TraceFormatException"/> where it is no trace.</exception>
    public static async Task<IReadOnlyList<TraceRequest>> ReadAsync(string path, CancellationToken cancellationToken)
    {
        List<TraceRequest> requests = [];
        int number = 0;
        await foreach (string line in File.ReadLinesAsync(path, cancellationToken).ConfigureAwait(false))
        {
            number++;
            if (!string.IsNullOrWhiteSpace(line))
            {
                requests.Add(Parse(line, path, number));
            }
        }

        return requests.Count > 0
            ? [.. requests.OrderBy(static request => request.Timestamp)]
            : throw new TraceFormatException($"{path} holds no requests; expected a JSON object a line.");
    }

    private static TraceRequest Parse(string line, string path, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement request = document.RootElement;
            if (request.ValueKind != JsonValueKind.Object)
            {
                throw Wrong("it", request, "a JSON object");
            }

            return new TraceRequest(
                Integer(request, "timestamp", 0, long.MaxValue),
                (int)Integer(request, "input_length", 1, int.MaxValue),
                (int)Integer(request, "output_length", 1, int.MaxValue),
                Ids(request));
        }
        catch (JsonException e)
        {
            throw new TraceFormatException($"{path}, line {number}: it is no JSON: {e.Message}", e);
        }

        TraceFormatException Wrong(string field, JsonElement value, string expected) =>
            new($"{path}, line {number}: {field} is {Shorten(value)}; expected {expected}.");

        JsonElement Field(JsonElement request, string name) => request.TryGetProperty(name, out JsonElement value)
            ? value
            : throw new TraceFormatException($"{path}, line {number}: '{name}' is missing.");

        long Integer(JsonElement request, string name, long least, long most)
        {
            JsonElement value = Field(request, name);
            return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long integer) && integer >= least && integer <= most
                ? integer
                : throw Wrong($"'{name}'", value, most == long.MaxValue ? $"an integer from {least}" : $"an integer from {least} to {most}");
        }

        long[] Ids(JsonElement request)
        {
            JsonElement value = Field(request, "hash_ids");
            if (value.ValueKind != JsonValueKind.Array)
            {
                throw Wrong("'hash_ids'", value, "an array of integers");
            }

            long[] ids = new long[value.GetArrayLength()];
            int i = 0;
            foreach (JsonElement id in value.EnumerateArray())
            {
                ids[i] = id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out long integer)
                    ? integer
                    : throw Wrong($"'hash_ids[{i}]'", id, "an integer");
                i++;
            }

            return ids;
        }
    }

    private static string Shorten(JsonElement value)
    {
        const int most = 40;
        string text = value.GetRawText();
        return text.Length <= most ? text : $"{text.AsSpan(0, most)}…";
    }
}
