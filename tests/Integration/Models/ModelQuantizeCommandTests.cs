using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Integration.Models;

/// <summary><c>llmc model quantize</c> as a user runs it.</summary>
public sealed class ModelQuantizeCommandTests : IDisposable
{
    private readonly TempDirectory _folder = new("quantize");
    private readonly string _source;

    public ModelQuantizeCommandTests()
    {
        _source = _folder.Combine("noise");
        RandomCheckpoint.Write(ModelArchitecture.Qwen2, ModelPreset.Tiny, 3, _source);
    }

    private string Output => _folder.Combine("out");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("q8", 8)]
    [InlineData("q4", 4)]
    public async Task PrintsSizesBeforeAndAfter(string format, int bits)
    {
        (int exitCode, string log) = await RunAsync(_source, "--to", format, "--out", Output);
        Assert.True(exitCode == 0, log);
        Assert.Matches($@"{Output}: {format.ToUpperInvariant()}, 0\.3 MB before, 0\.[12] MB after \(\d\d\.\d %\)", log);
        Assert.Matches(@"(\d+) of \1\n", log);
        using Checkpoint checkpoint = Checkpoint.Open(Output);
        Assert.Equal(bits, checkpoint.Config.Quantization?.Bits);
        Assert.Contains(checkpoint.Fingerprint, log);
    }

    [Fact]
    public async Task MeasuresAsItsSourceDoesInThatFormat()
    {
        (int exitCode, string log) = await RunAsync(_source, "--to", "q4", "--out", Output);
        Assert.True(exitCode == 0, log);
        string data = _folder.Write("data.jsonl", """{"messages": [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two, three, four."}]}""");
        string expected = await PerplexityAsync(_source, "--dtype", "q4");
        Assert.Equal(expected, await PerplexityAsync(Output));
        Assert.Equal(expected, await PerplexityAsync(Output, "--dtype", "q4"));
        Assert.NotEqual(expected, await PerplexityAsync(_source, "--dtype", "q8"));

        async Task<string> PerplexityAsync(string model, params string[] arguments)
        {
            (int code, string output) = await LlmcProcess.RunAsync(["model", "perplexity", model, "--data", data, .. arguments]);
            Assert.True(code == 0, output);
            return output[output.IndexOf("perplexity ", StringComparison.Ordinal)..];
        }
    }

    [Fact]
    public async Task OtherFormatsOfAQuantisedModelAreRefused()
    {
        (int exitCode, string log) = await RunAsync(_source, "--to", "q8", "--out", Output);
        Assert.True(exitCode == 0, log);
        await AssertFailsAsync("holds weights that are quantised to Q8 and can't be loaded as Q4", "up", "--model", Output, "--port", "0", "--quantize", "q4");
        await AssertFailsAsync("holds weights that are quantised to Q8 and can't be loaded as BF16", "up", "--model", Output, "--port", "0", "--weights", "bf16");
        await AssertFailsAsync("says that weights are quantised to 8 bits already", "model", "quantize", Output, "--to", "q4", "--out", _folder.Combine("again"));
    }

    [Fact]
    public async Task WhatIsWrongIsSaidInOneLine()
    {
        await AssertFailsAsync("Argument 'q5' not recognized", "model", "quantize", _source, "--to", "q5", "--out", Output);
        await AssertFailsAsync($"llmc model quantize: {_source} is not an empty directory", "model", "quantize", _source, "--to", "q8", "--out", _source);
        await AssertFailsAsync("config.json: is missing", "model", "quantize", _folder.Path, "--to", "q8", "--out", Output);
        File.WriteAllText(
            Path.Combine(_source, "config.json"),
            File.ReadAllText(Path.Combine(_source, "config.json")).TrimEnd('\n', '}') + """, "quantization_config": {"quant_method": "gptq"}}""");
        await AssertFailsAsync("weights quantised by 'gptq' are not supported", "model", "quantize", _source, "--to", "q8", "--out", Output);
        Assert.Equal([_source], Directory.GetFileSystemEntries(_folder.Path));
    }

    private static Task<(int ExitCode, string Log)> RunAsync(params string[] arguments) => LlmcProcess.RunAsync(["model", "quantize", .. arguments]);

    private static async Task AssertFailsAsync(string message, params string[] arguments)
    {
        (int exitCode, string log) = await LlmcProcess.RunAsync(arguments);
        Assert.True(exitCode == 1, $"Exit code {exitCode}:\n{log}");
        Assert.Contains(message, log);
        Assert.Single(log.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }
}
