using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>A checkpoint that was quantised once runs as its source does when it is quantised at load.</summary>
public sealed class QuantizedCheckpointTests : IDisposable
{
    private readonly TempDirectory _folder = new("quantized");

    private string Source => _folder.Combine("source");

    private string Output => _folder.Combine("out");

    public static TheoryData<ModelArchitecture, CpuIsa, WeightDtype, bool> Models
    {
        get
        {
            var data = new TheoryData<ModelArchitecture, CpuIsa, WeightDtype, bool>();
            foreach (ModelArchitecture architecture in Enum.GetValues<ModelArchitecture>())
            {
                foreach (CpuIsa isa in Isas.Available)
                {
                    foreach (WeightDtype to in (WeightDtype[])[WeightDtype.Q8, WeightDtype.Q4])
                    {
                        data.Add(architecture, isa, to, false);
                        data.Add(architecture, isa, to, true);
                    }
                }
            }

            return data;
        }
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Models))]
    public void It_gives_the_bits_of_its_source(ModelArchitecture architecture, CpuIsa isa, WeightDtype to, bool tied)
    {
        // Widths that fill no group and no byte.
        ModelConfig odd = TestModel.Odd(architecture) with { IntermediateSize = 101, TieWordEmbeddings = tied };
        AssertEqualBits(odd, TensorDtype.BF16, isa, to);
        AssertEqualBits(ModelPreset.Tiny.Config(architecture) with { TieWordEmbeddings = tied }, TensorDtype.F32, isa, to);
    }

    [Theory]
    [InlineData(WeightDtype.Q8)]
    [InlineData(WeightDtype.Q4)]
    public void It_does_so_from_half_precision(WeightDtype to) =>
        AssertEqualBits(TestModel.Even(), TensorDtype.F16, CpuIsaSupport.Best, to);

    [Theory]
    [InlineData(WeightDtype.Q8, 0.62)]
    [InlineData(WeightDtype.Q4, 0.38)]
    public void Its_files_are_smaller(WeightDtype to, double share)
    {
        WriteSource(TestModel.Even(), new RandomCheckpointOptions());
        QuantizationResult result = Quantize(to);
        Assert.Equal(new FileInfo(Path.Combine(Source, "model.safetensors")).Length, result.BytesBefore);
        Assert.Equal(new FileInfo(Path.Combine(Output, "model.safetensors")).Length, result.BytesAfter);

        // 9 or 5 bits of 16, and the embedding table as it was.
        long embedding = 512 * 128 * 2;
        Assert.InRange((result.BytesAfter - embedding) / (double)(result.BytesBefore - embedding), 0, share);
    }

    [Fact]
    public void It_has_as_many_files_as_its_source()
    {
        WriteSource(TestModel.Odd(), new RandomCheckpointOptions { MaxShardBytes = 30_000 });
        string[] files = FileNames(Source, "model*");
        Assert.True(files.Length > 4);
        var reports = new List<QuantizationProgress>();
        QuantizationResult result = CheckpointQuantizer.Write(
            Source, Output, new QuantizationOptions { To = WeightDtype.Q4, Progress = new Recorder(reports.Add) }, TestContext.Current.CancellationToken);
        Assert.Equal(files, FileNames(Output, "model*"));
        Assert.Equal(Enumerable.Range(1, reports.Count).Select(done => new QuantizationProgress(done, reports.Count)), reports);
        Assert.Equal(Directory.GetFiles(Output, "*.safetensors").Sum(file => new FileInfo(file).Length), result.BytesAfter);

        using Checkpoint sharded = Checkpoint.Open(Output);
        Assert.Equal(result.Fingerprint, sharded.Fingerprint);
        Assert.Equal(ModelTensors.All(CheckpointSettings.Read(Source).Config).Count, reports.Count);
        WriteSource(TestModel.Odd(), new RandomCheckpointOptions { Overwrite = true });
        Directory.Delete(Output, recursive: true);
        Assert.Equal(result.Fingerprint, Quantize(WeightDtype.Q4).Fingerprint);
    }

    [Fact]
    public void Other_files_come_along_and_settings_stay()
    {
        WriteSource(ModelPreset.Tiny.Config(ModelArchitecture.Qwen2), new RandomCheckpointOptions());
        _folder.Write(Path.Combine("source", "chat_template.jinja"), "{{ messages }}");
        _folder.Write(Path.Combine("source", "pytorch_model.bin"), "other weights");
        _folder.Write(Path.Combine("source", "pytorch_model.bin.index.json"), "{}");
        _folder.Write(Path.Combine("source", ".gitattributes"), "hidden");
        _folder.Write(Path.Combine("source", "eval", "heldout.jsonl"), "{}");
        string config = File.ReadAllText(Path.Combine(Source, "config.json"));
        Quantize(WeightDtype.Q8);
        Assert.Equal(
            ["chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            FileNames(Output, "*"));
        Assert.Empty(Directory.GetDirectories(Output));
        Assert.Equal(File.ReadAllBytes(Path.Combine(Source, "tokenizer.json")), File.ReadAllBytes(Path.Combine(Output, "tokenizer.json")));
        Assert.StartsWith(config.TrimEnd('\n', '}'), File.ReadAllText(Path.Combine(Output, "config.json")));
        Assert.Equal(CheckpointSettings.Read(Source).Config with { Quantization = new() { Bits = 8 } }, CheckpointSettings.Read(Output).Config);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Threads_do_not_change_a_byte(int threads)
    {
        WriteSource(TestModel.Odd(), new RandomCheckpointOptions());
        Quantize(WeightDtype.Q4);
        string other = _folder.Combine("other");
        CheckpointQuantizer.Write(Source, other, new QuantizationOptions { To = WeightDtype.Q4, Threads = threads }, TestContext.Current.CancellationToken);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Output, "model.safetensors")), File.ReadAllBytes(Path.Combine(other, "model.safetensors")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Work_that_ends_early_leaves_nothing(bool cancelled)
    {
        WriteSource(TestModel.Odd(), new RandomCheckpointOptions());
        using var cancellation = new CancellationTokenSource();
        var options = new QuantizationOptions
        {
            To = WeightDtype.Q8,
            Progress = new Recorder(progress =>
            {
                if (progress.Done == 7)
                {
                    cancellation.Cancel();
                    throw cancelled ? new OperationCanceledException(cancellation.Token) : new IOException("The disk is full.");
                }
            }),
        };
        Assert.ThrowsAny<Exception>(() => CheckpointQuantizer.Write(Source, Output, options, cancellation.Token));
        Assert.Equal([Source], Directory.GetFileSystemEntries(_folder.Path));
        Assert.Throws<OperationCanceledException>(
            () => CheckpointQuantizer.Write(Source, Output, options with { Progress = null }, cancellation.Token));
        Assert.Equal([Source], Directory.GetFileSystemEntries(_folder.Path));

        // An empty directory is as good as none.
        Directory.CreateDirectory(Output);
        Quantize(WeightDtype.Q8);
        Checkpoint.Open(Output).Dispose();
    }

    [Fact]
    public void What_can_not_be_written_is_said()
    {
        WriteSource(TestModel.Odd(), new RandomCheckpointOptions());
        string precious = _folder.Write(Path.Combine("out", "notes.txt"), "text");
        Assert.Contains($"{Output} is not an empty directory", Assert.Throws<IOException>(() => Quantize(WeightDtype.Q8)).Message);
        Assert.Equal([precious], Directory.GetFileSystemEntries(Output));
        File.Delete(precious);
        Quantize(WeightDtype.Q8);
        CheckpointException again = Assert.Throws<CheckpointException>(() => CheckpointQuantizer.Write(
            Output, _folder.Combine("again"), new QuantizationOptions { To = WeightDtype.Q4 }, TestContext.Current.CancellationToken));
        Assert.Contains("config.json: says that weights are quantised to 8 bits already", again.Message);
        Assert.Contains("To is BF16; it must be Q8 or Q4", Assert.Throws<ArgumentException>(() => Quantize(WeightDtype.BF16)).Message);
        Assert.Equal([Output, Source], Directory.GetFileSystemEntries(_folder.Path).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(WeightDtype.Q8, WeightDtype.Q4)]
    [InlineData(WeightDtype.Q8, WeightDtype.BF16)]
    [InlineData(WeightDtype.Q4, WeightDtype.Q8)]
    [InlineData(WeightDtype.Q4, WeightDtype.F32)]
    public void Another_format_than_its_own_is_refused(WeightDtype stored, WeightDtype asked)
    {
        WriteSource(TestModel.Odd(), new RandomCheckpointOptions());
        Quantize(stored);
        using Checkpoint checkpoint = Checkpoint.Open(Output);
        CheckpointException error = Assert.Throws<CheckpointException>(() => CpuModel.Load(checkpoint, new CpuOptions { Weights = asked }).Dispose());
        Assert.Contains($"{Output}: holds weights that are quantised to {stored} and can't be loaded as {asked}", error.Message);
        using CpuModel model = CpuModel.Load(checkpoint, new CpuOptions { Weights = stored });
        Assert.Equal(stored, model.Weights);
    }

    private static string[] FileNames(string directory, string pattern) =>
        [.. Directory.GetFiles(directory, pattern).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    private void WriteSource(ModelConfig config, RandomCheckpointOptions options) => RandomCheckpoint.Write(config, 5, Source, options);

    private QuantizationResult Quantize(WeightDtype to) =>
        CheckpointQuantizer.Write(Source, Output, new QuantizationOptions { To = to, Threads = 2 }, TestContext.Current.CancellationToken);

    private void AssertEqualBits(ModelConfig config, TensorDtype dtype, CpuIsa isa, WeightDtype to)
    {
        WriteSource(config, new RandomCheckpointOptions { Dtype = dtype, Overwrite = true });
        Quantize(to);
        using Checkpoint source = Checkpoint.Open(Source);
        using Checkpoint quantized = Checkpoint.Open(Output);
        using CpuModel expected = CpuModel.Load(source, new CpuOptions { Threads = 2, Isa = isa, Weights = to });
        using CpuModel actual = CpuModel.Load(quantized, new CpuOptions { Threads = 2, Isa = isa });
        Assert.Equal((to, expected.KvLayout.Fingerprint, expected.WeightBytes), (actual.Weights, actual.KvLayout.Fingerprint, actual.WeightBytes));
        Assert.NotEqual(source.Fingerprint, quantized.Fingerprint);
        Assert.Equal(expected.Fingerprint.Replace(source.Fingerprint, quantized.Fingerprint, StringComparison.Ordinal), actual.Fingerprint);
        AssertEqualPanels(expected, actual);

        using var expectedRunner = new CpuModelRunner(expected, 8);
        using var actualRunner = new CpuModelRunner(actual, 8);
        int[] tokens = TestModel.RandomTokens(new Random(4), 70, config.VocabSize);
        SequenceResult wanted = expectedRunner.RunAlone(tokens);
        SequenceResult found = actualRunner.RunAlone(tokens);
        Assert.All(wanted.Logits.Keys, row => Assert.Equal(
            wanted.Logits[row].Select(BitConverter.SingleToUInt32Bits), found.Logits[row].Select(BitConverter.SingleToUInt32Bits)));
        Assert.Equal(wanted.Kv, found.Kv);
        quantized.Dispose();
        Directory.Delete(Output, recursive: true);
    }

    private static unsafe void AssertEqualPanels(CpuModel expected, CpuModel actual)
    {
        foreach ((PackedMatrix wanted, PackedMatrix found) in Matrices(expected).Zip(Matrices(actual)))
        {
            Assert.True(new ReadOnlySpan<byte>(wanted.Pointer, (int)wanted.Bytes).SequenceEqual(new ReadOnlySpan<byte>(found.Pointer, (int)found.Bytes)));
        }
    }

    private static IEnumerable<PackedMatrix> Matrices(CpuModel model) =>
        model.Layers.SelectMany(layer => (PackedMatrix[])[layer.QueryKeyValue, layer.AttentionOutput, layer.GateUp, layer.Down]).Append(model.Head);

    private sealed class Recorder(Action<QuantizationProgress> report) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value) => report(value);
    }
}
