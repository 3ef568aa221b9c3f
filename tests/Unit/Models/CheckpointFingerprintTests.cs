using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

public sealed class CheckpointFingerprintTests
{
    [Fact]
    public void HasThirtyTwoHexadecimalDigitsAndIsStable()
    {
        using var files = new CheckpointFiles();
        Assert.Matches("^[0-9a-f]{32}$", Fingerprint(files));
        Assert.Equal(Fingerprint(files), Fingerprint(files));
    }

    [Fact]
    public void EveryByteOfASmallTensorCounts()
    {
        using var files = new CheckpointFiles();
        var seen = new HashSet<string> { Fingerprint(files) };
        for (int i = 0; i < 32; i++)
        {
            files.Damage("model.norm.weight", i);
            Assert.True(seen.Add(Fingerprint(files)), $"byte {i}");
        }
    }

    [Fact]
    public void TheEndsOfALargeTensorCount()
    {
        ModelConfig config = CheckpointFiles.SmallConfig() with { VocabSize = 8192 };
        using var files = new CheckpointFiles(config);
        Assert.True(8192 * 8 * 4 > CheckpointFingerprint.WholeBytes);
        string before = Fingerprint(files);
        files.Damage("lm_head.weight", 0);
        string first = Fingerprint(files);
        files.Damage("lm_head.weight", (8192 * 8 * 4) - 1);
        string last = Fingerprint(files);
        Assert.Equal(3, new[] { before, first, last }.Distinct().Count());
    }

    [Fact]
    public void SeedAndNumberFormatCount()
    {
        using var files = new CheckpointFiles();
        using var half = new CheckpointFiles(options: new RandomCheckpointOptions { Dtype = TensorDtype.F16 });
        string before = Fingerprint(files);
        Assert.NotEqual(before, Fingerprint(half));
        RandomCheckpoint.Write(CheckpointFiles.SmallConfig(), seed: 8, files.Path, new RandomCheckpointOptions { Dtype = TensorDtype.F32, Overwrite = true });
        Assert.NotEqual(before, Fingerprint(files));
    }

    [Theory]
    [InlineData("rope_theta", 20_000.0, true)]
    [InlineData("rms_norm_eps", 1e-6, true)]
    [InlineData("max_position_embeddings", 256.0, false)]
    [InlineData("eos_token_id", 3.0, false)]
    public void WhatDecidesAResultCounts(string key, double value, bool counts)
    {
        using var files = new CheckpointFiles();
        string before = Fingerprint(files);
        files.EditConfig(json => json[key] = value == Math.Floor(value) ? (long)value : value);
        Assert.Equal(counts, before != Fingerprint(files));
    }

    private static string Fingerprint(CheckpointFiles files)
    {
        using Checkpoint checkpoint = files.Open();
        return checkpoint.Fingerprint;
    }
}
