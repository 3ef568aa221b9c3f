using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Execution;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class BatchValidationTests : IDisposable
{
    private readonly TestModel _model = new(TestModel.Odd());
    private readonly CpuModel _weights;
    private readonly CpuModelRunner _runner;

    public BatchValidationTests()
    {
        _weights = CpuModel.Load(_model.Checkpoint, new CpuOptions { Threads = 2 });
        _runner = new CpuModelRunner(_weights, 8);
    }

    public void Dispose()
    {
        _runner.Dispose();
        _weights.Dispose();
        _model.Dispose();
    }

    [Theory]
    [InlineData(new[] { 1, 301 }, 0, new[] { 0 }, 1, "Token 1 of sequence 1 of the batch is 301; ids lie between 0 and 300.")]
    [InlineData(new[] { -1 }, 0, new[] { 0 }, 1, "Token 0 of sequence 1 of the batch is -1; ids lie between 0 and 300.")]
    [InlineData(new[] { 1, 2 }, 2047, new[] { 0 }, 1, "Sequence 1 of the batch reaches position 2048; the model's last is 2047.")]
    [InlineData(new[] { 1 }, int.MaxValue, new[] { 0 }, 1, "Sequence 1 of the batch reaches position 2147483647; the model's last is 2047.")]
    [InlineData(new[] { 1, 2 }, 31, new[] { 0, 1 }, 1, "The block table of sequence 1 of the batch has 2 blocks; 33 positions take 3 of 16.")]
    [InlineData(new[] { 1, 2 }, 15, new[] { 0, 8 }, 1, "Entry 1 of the block table of sequence 1 of the batch is 8; the pool's blocks are 0 to 7.")]
    [InlineData(new[] { 1 }, 0, new[] { -1 }, 1, "Entry 0 of the block table of sequence 1 of the batch is -1; the pool's blocks are 0 to 7.")]
    public void A_bad_sequence_is_named_and_nothing_is_written(int[] tokens, int start, int[] blocks, int rows, string message)
    {
        var batch = new ForwardBatch();
        batch.Add([5, 6, 7], 0, [7], 1);
        batch.Add(tokens, start, blocks, rows);

        ArgumentException error = Assert.Throws<ArgumentException>(() => _runner.Forward(batch, new float[2 * 301]));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.All(_runner.KvStore.ReadKv(0, [0, 7], 32), b => Assert.Equal(0, b));
    }

    [Fact]
    public void Room_for_the_logits_is_asked_for()
    {
        var batch = new ForwardBatch();
        batch.Add([1, 2, 3], 0, [0], 2);
        ArgumentException error = Assert.Throws<ArgumentException>(() => _runner.Forward(batch, new float[601]));
        Assert.Contains("601 logits, but 2 rows of 301 were asked for: 602", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_batch_is_refused() =>
        Assert.Throws<ArgumentException>(() => _runner.Forward(new ForwardBatch(), []));

    [Fact]
    public void Entries_beyond_the_positions_in_use_are_not_looked_at()
    {
        var batch = new ForwardBatch();
        batch.Add([1, 2, 3], 0, [0, -1, 99], 1);
        _runner.Forward(batch, new float[301]);
    }

    [Theory]
    [InlineData(0, 16, "CpuOptions.Threads is 0")]
    [InlineData(2000, 16, "CpuOptions.Threads is 2000")]
    [InlineData(1, 0, "CpuOptions.BlockSize is 0")]
    public void Options_out_of_range_are_named(int threads, int blockSize, string message)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => CpuModel.Load(_model.Checkpoint, new CpuOptions { Threads = threads, BlockSize = blockSize }));
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }
}
