using System.Security.Cryptography;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

public sealed class RandomCheckpointTests : IDisposable
{
    private readonly TempDirectory _folder = new("random");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(ModelArchitecture.Llama, TensorDtype.BF16, "db561d57e0e20d6ab945c396336689f81592f55b3703e185d6fc3c6cbf4faca5")]
    [InlineData(ModelArchitecture.Llama, TensorDtype.F32, "62eaf1f6781f3e4aef35aa50216f5e2d2c465a9df1b5c98c3744897900ea437e")]
    [InlineData(ModelArchitecture.Mistral, TensorDtype.F16, "11ae7811935305b3117ccd0728742dcb0f57e1e90076a971883cad82421d0e3f")]
    [InlineData(ModelArchitecture.Qwen2, TensorDtype.BF16, "dfcbc1ace9a812524b96603f4a18ca1af14804e4c88318681bcc0ff489482a8f")]
    [InlineData(ModelArchitecture.Qwen3, TensorDtype.BF16, "2af695389107d20120d289e0e0ba98f813a69dde7fd31b26a2c75d5e9f854d46")]
    public void TheSameSeedGivesTheSameBytesEverywhere(ModelArchitecture architecture, TensorDtype dtype, string sha256)
    {
        RandomCheckpoint.Write(architecture, ModelPreset.Tiny, seed: 1, _folder.Path, new RandomCheckpointOptions { Dtype = dtype });
        Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_folder.Combine("model.safetensors")))));
    }

    [Theory]
    [InlineData(ModelArchitecture.Llama, false)]
    [InlineData(ModelArchitecture.Mistral, true)]
    [InlineData(ModelArchitecture.Qwen2, false)]
    [InlineData(ModelArchitecture.Qwen3, true)]
    public void ConfigurationsSurviveTheRoundTrip(ModelArchitecture architecture, bool tied)
    {
        ModelConfig config = CheckpointFiles.SmallConfig(architecture) with
        {
            TieWordEmbeddings = tied,
            RopeScaling = new Llama3RopeScaling(8, 1, 4, 64),
            RmsNormEps = 1e-6f,
            RopeTheta = 12_345.5,
            SlidingWindow = architecture == ModelArchitecture.Llama ? null : 33,
        };
        RandomCheckpoint.Write(config, 3, _folder.Path);
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Assert.Equal(config, checkpoint.Config);
    }

    [Fact]
    public void ATokenizerComesWithIt()
    {
        RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, 1, _folder.Path);
        using Checkpoint checkpoint = Checkpoint.Open(_folder.Path);
        Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
        Assert.Equal(checkpoint.Config.VocabSize, tokenizer.VocabSize);
        Assert.Equal(tokenizer.BosTokenId, checkpoint.Generation.BosTokenId);
        Assert.Equal([tokenizer.TokenToId("<|end_of_text|>"), tokenizer.TokenToId("<|im_end|>")], checkpoint.Generation.EosTokenIds.Cast<int?>());
    }

    [Theory]
    [InlineData("tiny", 151_872)]
    [InlineData("88m", 88_099_584)]
    [InlineData("1b", 1_235_814_400)]
    public void PresetsHaveTheirSizes(string preset, long parameters) =>
        Assert.Equal(parameters, RandomCheckpoint.ByteLength(ModelPresets.ByName[preset].Config(ModelArchitecture.Llama), TensorDtype.F32) / 4);

    [Fact]
    public void ElementsDoNotDependOnHowTheyAreCutIntoPieces()
    {
        ModelConfig config = CheckpointFiles.SmallConfig();
        var weights = new RandomWeights(9, new TensorSpec("x", TensorRole.Embedding, 1000), config);
        float[] whole = new float[1000];
        float[] pieces = new float[1000];
        weights.Fill(0, whole);
        weights.Fill(0, pieces.AsSpan(0, 317));
        weights.Fill(317, pieces.AsSpan(317));
        Assert.Equal(whole, pieces);
        weights.Fill(5_000_000_000, pieces);
        Assert.NotEqual(whole, pieces);
    }

    [Fact]
    public void ElementsAreNormallyDistributed()
    {
        float[] values = new float[100_000];
        new RandomWeights(9, new TensorSpec("x", TensorRole.Embedding, values.Length), CheckpointFiles.SmallConfig()).Fill(0, values);
        double mean = values.Average(static v => (double)v);
        double variance = values.Average(v => (v - mean) * (v - mean));
        Assert.InRange(mean, -0.02, 0.02);
        Assert.InRange(variance, 0.97, 1.03);
        Assert.InRange(values.Count(static v => Math.Abs(v) < 1) / (double)values.Length, 0.65, 0.70);
        Assert.InRange(values.Count(static v => Math.Abs(v) > 2) / (double)values.Length, 0.035, 0.055);
    }

    [Fact]
    public void ADirectoryThatIsNotEmptyIsLeftAlone()
    {
        _folder.Write("precious.txt", "text");
        IOException error = Assert.Throws<IOException>(() => RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, 1, _folder.Path));
        Assert.Contains("is not empty", error.Message);
        Assert.Equal(["precious.txt"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void OverwritingReplacesShardsByASingleFile()
    {
        ModelConfig config = CheckpointFiles.SmallConfig();
        RandomCheckpoint.Write(config, 1, _folder.Path, new RandomCheckpointOptions { MaxShardBytes = 1000 });
        Assert.True(File.Exists(_folder.Combine("model-00001-of-00003.safetensors")));
        RandomCheckpoint.Write(config, 2, _folder.Path, new RandomCheckpointOptions { Overwrite = true });
        Assert.Equal(["model.safetensors"], Directory.GetFiles(_folder.Path, "*.safetensors*").Select(Path.GetFileName));
        Checkpoint.Open(_folder.Path).Dispose();
    }

    [Fact]
    public void CancellingLeavesNoCheckpoint()
    {
        using var cancellation = new CancellationTokenSource();
        long reported = 0;
        var options = new RandomCheckpointOptions { Progress = new Callback(written => { reported = written; cancellation.Cancel(); }) };
        Assert.Throws<OperationCanceledException>(() =>
            RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, 1, _folder.Path, options, cancellation.Token));
        Assert.Equal(512 * 64 * 2, reported);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void TheWriterChecksNamesAndSizes()
    {
        string path = _folder.Combine("x.safetensors");
        var tensor = new SafetensorsTensor("a", TensorDtype.F32, 2);
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [tensor, tensor]));
        Assert.Throws<ArgumentException>(() => new SafetensorsWriter(path, [tensor with { Name = "__metadata__" }]));
        using (var writer = new SafetensorsWriter(path, [tensor]))
        {
            writer.Write(new byte[4]);
            Assert.Throws<InvalidOperationException>(() => writer.Complete());
            Assert.Throws<InvalidOperationException>(() => writer.Write(new byte[5]));
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    private sealed class Callback(Action<long> report) : IProgress<long>
    {
        public void Report(long value) => report(value);
    }
}
