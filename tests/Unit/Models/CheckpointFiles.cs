using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

/// <summary>A small, valid checkpoint in a temporary folder, and the means to damage it.</summary>
internal sealed class CheckpointFiles : IDisposable
{
    private readonly TempDirectory _folder = new("checkpoint");

    public CheckpointFiles(ModelConfig? config = null, RandomCheckpointOptions? options = null)
    {
        RandomCheckpoint.Write(config ?? SmallConfig(), seed: 7, Path, options ?? new RandomCheckpointOptions { Dtype = TensorDtype.F32 });
    }

    public string Path => _folder.Combine("model");

    public string Weights => File("model.safetensors");

    public string Index => File("model.safetensors.index.json");

    public static ModelConfig SmallConfig(ModelArchitecture architecture = ModelArchitecture.Llama) => new()
    {
        Architecture = architecture,
        VocabSize = 32,
        HiddenSize = 8,
        IntermediateSize = 12,
        Layers = 1,
        Heads = 2,
        KvHeads = 1,
        HeadDim = 4,
        MaxPositions = 128,
        RmsNormEps = 1e-5f,
        RopeTheta = 10_000,
        TieWordEmbeddings = false,
        QkvBias = architecture == ModelArchitecture.Qwen2,
        QkNorm = architecture == ModelArchitecture.Qwen3,
    };

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public Checkpoint Open() => Checkpoint.Open(Path);

    /// <summary>Opens the checkpoint, which must be refused, and returns the message.</summary>
    public string Refused() => Assert.Throws<CheckpointException>(() => Open().Dispose()).Message;

    public void EditConfig(Action<JsonObject> edit) => EditJson(File("config.json"), edit);

    public void EditIndex(Action<JsonObject> edit) => EditJson(Index, edit);

    /// <summary>Changes the header of a safetensors file and keeps its data.</summary>
    public void EditHeader(Action<JsonObject> edit, string? file = null)
    {
        (string header, byte[] data) = Split(file ?? Weights);
        JsonObject json = JsonNode.Parse(header)!.AsObject();
        edit(json);
        WriteParts(file ?? Weights, json.ToJsonString(), data);
    }

    /// <summary>Replaces the text of the header of <c>model.safetensors</c> and keeps its data.</summary>
    public void EditHeaderText(Func<string, string> edit)
    {
        (string header, byte[] data) = Split(Weights);
        WriteParts(Weights, edit(header), data);
    }

    /// <summary>Adds a tensor of <c>[1]</c> F32 behind the others.</summary>
    public void AddTensor(string name, string? file = null)
    {
        file ??= Weights;
        (string header, byte[] data) = Split(file);
        JsonObject json = JsonNode.Parse(header)!.AsObject();
        json[name] = Entry("F32", [1], data.Length, data.Length + 4);
        WriteParts(file, json.ToJsonString(), [.. data, 0, 0, 0, 0]);
    }

    /// <summary>Flips a bit of one byte of a tensor.</summary>
    public void Damage(string tensor, long byteIndex)
    {
        (string header, byte[] data) = Split(Weights);
        long begin = (long)JsonNode.Parse(header)![tensor]!["data_offsets"]![0]!;
        data[begin + byteIndex] ^= 1;
        WriteParts(Weights, header, data);
    }

    public static JsonObject Entry(string dtype, int[] shape, long begin, long end) => new()
    {
        ["dtype"] = dtype,
        ["shape"] = JsonSerializer.SerializeToNode(shape),
        ["data_offsets"] = new JsonArray(begin, end),
    };

    public void Dispose() => _folder.Dispose();

    private static void EditJson(string file, Action<JsonObject> edit)
    {
        JsonObject json = JsonNode.Parse(System.IO.File.ReadAllText(file))!.AsObject();
        edit(json);
        System.IO.File.WriteAllText(file, json.ToJsonString());
    }

    private static (string Header, byte[] Data) Split(string file)
    {
        byte[] bytes = System.IO.File.ReadAllBytes(file);
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        return (Encoding.UTF8.GetString(bytes, 8, length), bytes[(8 + length)..]);
    }

    private static void WriteParts(string file, string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)text.Length);
        System.IO.File.WriteAllBytes(file, [.. length, .. text, .. data]);
    }
}
