using LlmCluster.Bench.Traces;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class TraceFileTests : IDisposable
{
    private const string Good = """{"timestamp": 5, "input_length": 600, "output_length": 7, "hash_ids": [1, 2], "other": null}""";
    private readonly TempDirectory _folder = new("trace");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Requests_come_in_order_of_time()
    {
        IReadOnlyList<TraceRequest> requests = await ReadAsync(Good, "", """{"timestamp": 3, "input_length": 1, "output_length": 1, "hash_ids": []}""", Good);

        Assert.Equal([3, 5, 5], requests.Select(r => r.Timestamp));
        Assert.Equal((600, 7), (requests[1].InputTokens, requests[1].OutputTokens));
        Assert.Equal([1, 2], requests[1].HashIds);
    }

    [Theory]
    [InlineData("{", "it is no JSON")]
    [InlineData("[1]", "it is [1]; expected a JSON object")]
    [InlineData("""{"input_length": 1, "output_length": 1, "hash_ids": []}""", "'timestamp' is missing")]
    [InlineData("""{"timestamp": -1, "input_length": 1, "output_length": 1, "hash_ids": []}""", "'timestamp' is -1; expected an integer from 0.")]
    [InlineData("""{"timestamp": 1, "input_length": 0, "output_length": 1, "hash_ids": []}""", "'input_length' is 0; expected an integer from 1 to")]
    [InlineData("""{"timestamp": 1, "input_length": 1, "output_length": 1.5, "hash_ids": []}""", "'output_length' is 1.5; expected an integer from 1 to")]
    [InlineData("""{"timestamp": 1, "input_length": 1, "output_length": "9", "hash_ids": []}""", "'output_length' is \"9\"")]
    [InlineData("""{"timestamp": 1, "input_length": 1, "output_length": 99999999999, "hash_ids": []}""", "'output_length' is 99999999999")]
    [InlineData("""{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": 4}""", "'hash_ids' is 4; expected an array of integers.")]
    [InlineData("""{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": [1, null]}""", "'hash_ids[1]' is null; expected an integer.")]
    public async Task What_is_wrong_is_named_with_file_line_and_field(string line, string problem)
    {
        TraceFormatException e = await Assert.ThrowsAsync<TraceFormatException>(() => ReadAsync(Good, line));
        Assert.Contains($"trace.jsonl, line 2: {problem}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_trace_is_refused()
    {
        TraceFormatException e = await Assert.ThrowsAsync<TraceFormatException>(() => ReadAsync("", " "));
        Assert.Contains("trace.jsonl holds no requests", e.Message, StringComparison.Ordinal);
    }

    private Task<IReadOnlyList<TraceRequest>> ReadAsync(params string[] lines) =>
        TraceFile.ReadAsync(_folder.Write("trace.jsonl", string.Join('\n', lines)), TestContext.Current.CancellationToken);
}
