using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>
/// The safetensors files of a checkpoint: <c>model.safetensors</c>, or else the shards that
/// <c>model.safetensors.index.json</c> lists.
/// </summary>
internal sealed class WeightFiles : IDisposable
{
    /// <summary>The file of a checkpoint that is not sharded.</summary>
    public const string SingleFileName = "model.safetensors";

    /// <summary>The file that says which shard holds which tensor.</summary>
    public const string IndexFileName = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsEntry Entry)> _tensors = new(StringComparer.Ordinal);

    private WeightFiles(string mainFile) => MainFile = mainFile;

    /// <summary>Path of the file to name when a tensor is missing: the single file or the index.</summary>
    public string MainFile { get; }

    /// <summary>Names of all tensors.</summary>
    public IEnumerable<string> Names => _tensors.Keys;

    /// <summary>Opens the weights in a directory.</summary>
    /// <exception cref="CheckpointException">There are none, or a file is damaged or contradicts the index.</exception>
    public static WeightFiles Open(string directory)
    {
        string single = Path.Combine(directory, SingleFileName);
        string index = Path.Combine(directory, IndexFileName);
        WeightFiles weights = File.Exists(single) ? new WeightFiles(single)
            : File.Exists(index) ? new WeightFiles(index)
            : throw new CheckpointException(directory, $"has neither {SingleFileName} nor {IndexFileName}.");
        try
        {
            if (weights.MainFile == single)
            {
                weights.Add(single);
            }
            else
            {
                weights.AddShards(directory, index);
            }

            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out SafetensorsFile? file, [NotNullWhen(true)] out SafetensorsEntry? entry)
    {
        bool found = _tensors.TryGetValue(name, out (SafetensorsFile File, SafetensorsEntry Entry) tensor);
        (file, entry) = tensor;
        return found;
    }

    public void Dispose()
    {
        foreach (SafetensorsFile file in _files)
        {
            file.Dispose();
        }
    }

    private void AddShards(string directory, string index)
    {
        JsonSettings json = JsonSettings.Read(index);
        JsonSettings map = json.FindObject("weight_map") ?? throw json.Missing("weight_map", "an object that maps each tensor to its file");
        var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (JsonProperty property in map.Properties())
        {
            string shard = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : "";
            if (!IsPlainFileName(shard))
            {
                throw new CheckpointException(index, property.Name, $"its file must be the plain name of a file beside the index, found {property.Value.GetRawText()}.");
            }

            if (!shardOf.TryAdd(property.Name, shard))
            {
                throw new CheckpointException(index, property.Name, "stands twice in weight_map; names must be unique.");
            }
        }

        foreach (string shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            string path = Path.Combine(directory, shard);
            if (!File.Exists(path))
            {
                string tensor = shardOf.First(pair => pair.Value == shard).Key;
                throw new CheckpointException(index, tensor, $"should be in {shard}, but {path} is missing.");
            }

            Add(path);
        }

        foreach ((string tensor, string shard) in shardOf)
        {
            if (!_tensors.TryGetValue(tensor, out (SafetensorsFile File, SafetensorsEntry Entry) found))
            {
                throw new CheckpointException(index, tensor, $"should be in {shard}, but that file does not hold it.");
            }

            if (Path.GetFileName(found.File.Path) != shard)
            {
                throw new CheckpointException(index, tensor, $"should be in {shard}, but is in {Path.GetFileName(found.File.Path)}.");
            }
        }

        foreach ((string tensor, (SafetensorsFile file, _)) in _tensors)
        {
            if (!shardOf.ContainsKey(tensor))
            {
                throw new CheckpointException(file.Path, tensor, $"is not listed in {IndexFileName}.");
            }
        }
    }

    private void Add(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (SafetensorsEntry entry in file.Header.Entries)
        {
            if (!_tensors.TryAdd(entry.Name, (file, entry)))
            {
                throw new CheckpointException(path, entry.Name, $"is in {Path.GetFileName(_tensors[entry.Name].File.Path)}, too; names must be unique over all shards.");
            }
        }
    }

    private static bool IsPlainFileName(string name) =>
        name.Length > 0 && name is not ("." or "..") && name.AsSpan().IndexOfAny('/', '\\', '\0') < 0 && !name.Contains(':', StringComparison.Ordinal);
}
