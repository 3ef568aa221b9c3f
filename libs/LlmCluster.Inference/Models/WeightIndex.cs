using System.Globalization;
using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>Names shards and writes the file that says which shard holds which tensor; <see cref="WeightFiles"/> reads it.</summary>
internal static class WeightIndex
{
    /// <summary>The name of a shard, as Hugging Face's tools give it.</summary>
    /// <param name="index">Which, from 0.</param>
    /// <param name="count">How many there are.</param>
    public static string ShardName(int index, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"model-{index + 1:D5}-of-{count:D5}.safetensors");

    /// <summary>Writes the index into a checkpoint's directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="totalBytes">Bytes of all tensors.</param>
    /// <param name="tensors">Each tensor's name and its file's.</param>
    public static void Write(string directory, long totalBytes, IEnumerable<(string Tensor, string File)> tensors)
    {
        using FileStream stream = File.Create(Path.Combine(directory, WeightFiles.IndexFileName));
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", totalBytes);
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach ((string tensor, string file) in tensors)
        {
            json.WriteString(tensor, file);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}
