using System.Text.Json.Nodes;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

public sealed class ShardedCheckpointTests : IDisposable
{
    private const string Norm = "model.norm.weight";

    private readonly CheckpointFiles _files = new(options: new RandomCheckpointOptions { Dtype = TensorDtype.F32, MaxShardBytes = 1500 });

    public void Dispose() => _files.Dispose();

    [Fact]
    public void HoldsWhatASingleFileHolds()
    {
        Assert.True(Shards.Length > 2);
        using var single = new CheckpointFiles();
        using Checkpoint expected = single.Open();
        using Checkpoint actual = _files.Open();
        Assert.Equal(expected.Fingerprint, actual.Fingerprint);
        Assert.All(ModelTensors.All(expected.Config), spec =>
            Assert.True(expected.GetTensor(spec.Name).Bytes.SequenceEqual(actual.GetTensor(spec.Name).Bytes), spec.Name));
    }

    [Fact]
    public void AMissingShard()
    {
        string shard = Shards[1];
        File.Delete(shard);
        Refused("model.safetensors.index.json: tensor '", $"should be in {Path.GetFileName(shard)}", "is missing");
    }

    [Fact]
    public void ATensorThatItsShardDoesNotHold()
    {
        _files.EditIndex(json => json["weight_map"]!["extra.weight"] = Path.GetFileName(Shards[0]));
        Refused("model.safetensors.index.json: tensor 'extra.weight'", "does not hold it");
    }

    [Fact]
    public void ATensorInAnotherShard()
    {
        string first = Path.GetFileName(Shards[0]);
        string right = "";
        _files.EditIndex(json =>
        {
            right = (string)json["weight_map"]![Norm]!;
            json["weight_map"]![Norm] = first;
        });
        Assert.NotEqual(first, right);
        Refused($"tensor '{Norm}'", $"should be in {first}, but is in {right}");
    }

    [Fact]
    public void ATensorThatTheIndexLacks()
    {
        _files.EditIndex(json => json["weight_map"]!.AsObject().Remove(Norm));
        Refused($"tensor '{Norm}'", "is not listed in model.safetensors.index.json");
    }

    [Fact]
    public void ATensorInTwoShards()
    {
        _files.AddTensor(Norm, Shards[0]);
        Refused($"tensor '{Norm}'", "unique over all shards");
    }

    [Fact]
    public void ATensorTwiceInTheIndex()
    {
        string text = File.ReadAllText(_files.Index);
        File.WriteAllText(_files.Index, text.Replace("lm_head.weight", Norm, StringComparison.Ordinal));
        Refused($"tensor '{Norm}'", "stands twice in weight_map");
    }

    [Theory]
    [InlineData("../outside.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("sub/inside.safetensors")]
    [InlineData("..\\outside.safetensors")]
    [InlineData("C:outside.safetensors")]
    [InlineData("")]
    public void AShardOutsideTheDirectory(string name)
    {
        File.Copy(Shards[0], Path.Combine(_files.Path, "..", "outside.safetensors"));
        _files.EditIndex(json => json["weight_map"]![Norm] = name);
        Refused($"tensor '{Norm}'", "must be the plain name of a file beside the index");
    }

    [Fact]
    public void AShardNameThatIsNoText()
    {
        _files.EditIndex(json => json["weight_map"]![Norm] = 3);
        Refused($"tensor '{Norm}'", "must be the plain name", "found 3");
    }

    [Fact]
    public void AnIndexWithoutAMap()
    {
        _files.EditIndex(json => json.Remove("weight_map"));
        Refused("key 'weight_map' is missing");
    }

    [Fact]
    public void ATruncatedShard()
    {
        using (FileStream stream = File.OpenWrite(Shards[^1]))
        {
            stream.SetLength(stream.Length - 1);
        }

        Refused(Path.GetFileName(Shards[^1]), "tensor 'lm_head.weight'", "truncated");
    }

    private string[] Shards => [.. Directory.GetFiles(_files.Path, "model-*.safetensors").Order(StringComparer.Ordinal)];

    private void Refused(params string[] expected)
    {
        string message = _files.Refused();
        Assert.All(expected, part => Assert.Contains(part, message));
    }
}
