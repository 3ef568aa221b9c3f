using System.Buffers.Binary;
using System.Text.Json.Nodes;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

/// <summary>Damaged weights are refused with a message that names file, tensor and expectation.</summary>
public sealed class SafetensorsRefusalTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj.weight";

    private readonly CheckpointFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void AValidCheckpointOpens()
    {
        using Checkpoint checkpoint = _files.Open();
        Assert.Equal(CheckpointFiles.SmallConfig(), checkpoint.Config);
    }

    [Fact]
    public void AMissingDirectory() =>
        Assert.Contains("is no directory", Assert.Throws<CheckpointException>(() => Checkpoint.Open(_files.File("nowhere"))).Message);

    [Fact]
    public void NoWeights()
    {
        File.Delete(_files.Weights);
        Refused("neither model.safetensors nor model.safetensors.index.json");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void AFileTooShortForTheLength(int length)
    {
        Truncate(length);
        Refused("model.safetensors: is truncated", "8 bytes");
    }

    [Fact]
    public void AFileTruncatedInTheHeader()
    {
        Truncate(100);
        Refused("model.safetensors: is truncated", "only 92 follow");
    }

    [Fact]
    public void AFileTruncatedInTheData()
    {
        Truncate(new FileInfo(_files.Weights).Length - 1);
        Refused("tensor 'lm_head.weight'", "truncated");
    }

    [Fact]
    public void BytesBehindTheLastTensor()
    {
        using (FileStream stream = File.Open(_files.Weights, FileMode.Append))
        {
            stream.WriteByte(0);
        }

        Refused("model.safetensors: holds", "its tensors end at byte");
    }

    [Fact]
    public void AnAbsurdHeaderLength()
    {
        byte[] bytes = File.ReadAllBytes(_files.Weights);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, ulong.MaxValue);
        File.WriteAllBytes(_files.Weights, bytes);
        Refused("is no safetensors file", "at most 100000000");
    }

    [Theory]
    [InlineData("{\"a\":", "is no valid JSON")]
    [InlineData("[]", "must be a JSON object")]
    [InlineData("{\"\\ud800\":{}}", "no valid text")]
    [InlineData("{\"a\":1}", "tensor 'a': the header's entry must be an object")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "'data_offsets' (array of two)")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "'data_offsets' (array of two)")]
    [InlineData("{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", "'dtype' (string)")]
    [InlineData("{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", "unknown dtype 'F31'")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", "dimension 0 of the shape")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", "dimension 0 of the shape")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "0 <= begin <= end")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", "0 <= begin <= end")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "F32 [2] has 8 bytes, but data_offsets [0, 4] span 4")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2147483647,2147483647,2147483647,2147483647],\"data_offsets\":[0,4]}}", "bytes, but data_offsets")]
    public void AMalformedHeader(string header, string expected)
    {
        _files.EditHeaderText(_ => header);
        Refused("model.safetensors: ", expected);
    }

    [Fact]
    public void ATensorTwice()
    {
        _files.EditHeaderText(header => header.Replace("model.norm.weight", Query, StringComparison.Ordinal));
        Refused($"tensor '{Query}'", "stands twice");
    }

    [Fact]
    public void OverlappingTensors()
    {
        _files.EditHeader(json =>
        {
            JsonObject norm = json["model.norm.weight"]!.AsObject();
            long begin = (long)norm["data_offsets"]![0]! - 4;
            norm["data_offsets"] = new JsonArray(begin, begin + 32);
        });
        Refused("tensor 'model.norm.weight'", "overlaps 'model.layers.0.mlp.down_proj.weight'");
    }

    [Fact]
    public void AGapBetweenTensors()
    {
        _files.EditHeader(json => json.Remove("model.norm.weight"));
        Refused("tensor 'lm_head.weight'", "without a gap");
    }

    [Fact]
    public void AMissingTensor()
    {
        Rename(Query, "unrelated");
        Refused($"model.safetensors: tensor '{Query}': is missing", "[8, 8]");
    }

    [Fact]
    public void AWrongShape()
    {
        _files.EditHeader(json => json[Query]!["shape"] = new JsonArray(4, 16));
        Refused($"model.safetensors: tensor '{Query}'", "has shape [4, 16]; expected [8, 8]");
    }

    [Fact]
    public void ADtypeThatIsNoWeight()
    {
        _files.EditHeader(json => json[Query]!["dtype"] = "I32");
        Refused($"model.safetensors: tensor '{Query}'", "has dtype I32; expected F32, F16 or BF16");
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.q_proj.bias")]
    [InlineData("model.layers.1.self_attn.q_proj.weight")]
    [InlineData("lm_head.bias")]
    public void ATensorThatTheModelHasNoUseFor(string name)
    {
        _files.AddTensor(name);
        Refused($"tensor '{name}'", "is not part of a LlamaForCausalLM");
    }

    [Theory]
    [InlineData("model.layers.0.self_attn.rotary_emb.inv_freq")]
    [InlineData("something.else")]
    public void ATensorThatMayBeIgnored(string name)
    {
        _files.AddTensor(name);
        using Checkpoint checkpoint = _files.Open();
        Assert.True(checkpoint.Contains(name));
    }

    [Fact]
    public void AHeadBesideATiedOneIsIgnored()
    {
        using (Checkpoint untied = _files.Open())
        {
            Assert.Equal("lm_head.weight", ModelTensors.OutputHead(untied.Config));
        }

        _files.EditConfig(json => json["tie_word_embeddings"] = true);
        using Checkpoint tied = _files.Open();
        Assert.Equal("model.embed_tokens.weight", ModelTensors.OutputHead(tied.Config));
    }

    [Fact]
    public void AMissingHead()
    {
        using var tied = new CheckpointFiles(CheckpointFiles.SmallConfig() with { TieWordEmbeddings = true });
        tied.Open().Dispose();
        tied.EditConfig(json => json["tie_word_embeddings"] = false);
        Assert.Contains("tensor 'lm_head.weight': is missing; expected one of shape [32, 8]", tied.Refused());
    }

    [Theory]
    [InlineData(ModelArchitecture.Qwen2, "self_attn.q_proj.bias")]
    [InlineData(ModelArchitecture.Qwen3, "self_attn.q_norm.weight")]
    public void TensorsOfAnArchitectureAreRequired(ModelArchitecture architecture, string tensor)
    {
        _files.EditConfig(json =>
        {
            json["architectures"] = new JsonArray($"{architecture}ForCausalLM");
            json["head_dim"] = 4;
        });
        Refused($"tensor 'model.layers.0.{tensor}': is missing");
    }

    [Fact]
    public void AskingForAnotherShape()
    {
        using Checkpoint checkpoint = _files.Open();
        Assert.Contains("expected [3]", Assert.Throws<CheckpointException>(() => checkpoint.GetTensor(Query, 3)).Message);
        Assert.Contains("'nothing': is missing", Assert.Throws<CheckpointException>(() => checkpoint.GetTensor("nothing")).Message);
        Assert.False(checkpoint.Contains("nothing"));
    }

    private void Refused(params string[] expected)
    {
        string message = _files.Refused();
        Assert.All(expected, part => Assert.Contains(part, message));
    }

    private void Rename(string from, string to) => _files.EditHeader(json =>
    {
        JsonNode entry = json[from]!;
        json.Remove(from);
        json[to] = entry;
    });

    private void Truncate(long length)
    {
        using FileStream stream = File.OpenWrite(_files.Weights);
        stream.SetLength(length);
    }
}
