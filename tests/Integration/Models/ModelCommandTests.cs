using LlmCluster.Inference.Models;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Models;

/// <summary><c>llmc model random</c> as a user runs it.</summary>
public sealed class ModelCommandTests : IDisposable
{
    private readonly TempDirectory _folder = new("model");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("llama", ModelArchitecture.Llama)]
    [InlineData("qwen3", ModelArchitecture.Qwen3)]
    public async Task WritesACheckpointThatOpens(string name, ModelArchitecture architecture)
    {
        (int exitCode, string log) = await RunAsync("--arch", name, "--preset", "tiny", "--seed", "4");
        Assert.True(exitCode == 0, log);
        using Checkpoint checkpoint = Checkpoint.Open(Output);
        Assert.Equal((architecture, 512, false), (checkpoint.Config.Architecture, checkpoint.Config.VocabSize, checkpoint.Config.TieWordEmbeddings));
        Assert.Equal(TensorDtype.BF16, checkpoint.GetTensor(ModelTensors.FinalNorm).Dtype);
        Assert.Contains(checkpoint.Fingerprint, log);
        Assert.True(File.Exists(Path.Combine(Output, "tokenizer.json")));
    }

    [Fact]
    public async Task TakesNumberFormatAndTie()
    {
        (int exitCode, string log) = await RunAsync("--arch", "mistral", "--dtype", "f32", "--tied");
        Assert.True(exitCode == 0, log);
        using Checkpoint checkpoint = Checkpoint.Open(Output);
        Assert.True(checkpoint.Config.TieWordEmbeddings);
        Assert.Equal(TensorDtype.F32, checkpoint.GetTensor(ModelTensors.FinalNorm).Dtype);
    }

    [Fact]
    public async Task AsksBeforeItReplacesFiles()
    {
        string precious = _folder.Write(Path.Combine("out", "notes.txt"), "text");
        (int exitCode, string log) = await RunAsync("--arch", "llama");
        Assert.Equal(1, exitCode);
        Assert.Contains($"{Output} is not an empty directory; name another, or replace it with --force.", log);
        Assert.Equal([precious], Directory.GetFiles(Output));

        (exitCode, log) = await RunAsync("--arch", "llama", "--force");
        Assert.True(exitCode == 0, log);
        Assert.Equal("text", File.ReadAllText(precious));
        Checkpoint.Open(Output).Dispose();
    }

    [Theory]
    [InlineData("--arch", "gpt", "llama")]
    [InlineData("--preset", "huge", "tiny")]
    [InlineData("--dtype", "f64", "bf16")]
    [InlineData("--seed", "-1", "--seed")]
    public async Task RefusesWhatItDoesNotKnow(string option, string value, string expected)
    {
        string[] architecture = option == "--arch" ? [] : ["--arch", "llama"];
        (int exitCode, string log) = await RunAsync([.. architecture, option, value]);
        Assert.NotEqual(0, exitCode);
        Assert.Contains(value, log);
        Assert.Contains(expected, log);
        Assert.False(Directory.Exists(Output));
    }

    private string Output => _folder.Combine("out");

    private Task<(int ExitCode, string Log)> RunAsync(params string[] arguments) =>
        LlmcProcess.RunAsync(["model", "random", "--out", Output, .. arguments]);
}
