using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmCluster.Evaluation.Results;

/// <summary>
/// Answers for other programs to compare with theirs, one JSON object a line: <c>id</c>, <c>prompt_ids</c>,
/// <c>output_ids</c> (with the stop token), <c>text</c> and <c>right</c>.
/// </summary>
public static class PredictionFile
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the file; its folder is made if it is not there.</summary>
    public static async Task WriteAsync(string path, IEnumerable<ConversationResult> results, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(results);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        IEnumerable<string> lines = results.Select(result => JsonSerializer.Serialize(
            new Prediction(result.Id, result.PromptIds, result.OutputIds, result.Text, result.Right), Json));
        await File.WriteAllTextAsync(path, string.Concat(lines.Select(line => line + "\n")), cancellationToken).ConfigureAwait(false);
    }

    private sealed record Prediction(
        [property: JsonPropertyName("id")] string Id,
        [property: JsonPropertyName("prompt_ids")] IReadOnlyList<int> PromptIds,
        [property: JsonPropertyName("output_ids")] IReadOnlyList<int> OutputIds,
        [property: JsonPropertyName("text")] string Text,
        [property: JsonPropertyName("right")] bool Right);
}
