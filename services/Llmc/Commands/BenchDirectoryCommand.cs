using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Directories;
using LlmCluster.CommandLine.Hosting;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench directory</c>: the prefix-cache directory in Redis.</summary>
internal static class BenchDirectoryCommand
{
    public static Command Create()
    {
        var defaults = new DirectoryBenchmarkOptions();
        var redis = new Option<string?>("--redis")
        {
            Description = "URL of a Redis to use, by keys of its own that are removed at the end; a redis-server is started by default.",
        };
        Option<int> blocks = BenchArguments.Number("--blocks", "Blocks in the directory.", defaults.Blocks);
        Option<int> workers = BenchArguments.Number("--workers", "Workers that hold them.", defaults.Workers);
        Option<int> batch = BenchArguments.Number("--batch", "Changes in a publication.", defaults.Batch);
        Option<int> lookups = BenchArguments.Number("--lookups", "Lookups of each length one at a time; ten times as many in parallel.", defaults.Lookups);
        Option<int> parallel = BenchArguments.Number("--parallel", "Lookups, or publications, under way at once.", defaults.Parallel);
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("directory", "Measures lookups and publications of the prefix-cache directory in one Redis, and its memory per block.")
        {
            redis, blocks, workers, batch, lookups, parallel, json,
        };
        command.SetAction(CommandRunner.Guard("bench directory", async (result, cancellation) =>
        {
            var options = new DirectoryBenchmarkOptions
            {
                RedisUrl = result.GetValue(redis),
                Blocks = result.GetValue(blocks),
                Workers = result.GetValue(workers),
                Batch = result.GetValue(batch),
                Lookups = result.GetValue(lookups),
                Parallel = result.GetValue(parallel),
            };
            DirectoryBenchmarkResult figures = await DirectoryBenchmark.RunAsync(options, new StandardErrorProgress(), cancellation);
            Print(figures);
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static void Print(DirectoryBenchmarkResult figures)
    {
        Write($"{figures.Blocks} blocks, {figures.Entries} entries, {figures.Workers} workers");
        Write($"publish: {figures.PublishesPerSecond:F0}/s of up to {figures.Batch} changes, {figures.ChangesPerSecond:F0} changes/s, {figures.Parallel} at a time");
        Write($"lookup of 256 blocks: {figures.LookupsPerSecond:F0}/s, {figures.Parallel} at a time");
        WriteLatency(16, figures.Lookup16P50, figures.Lookup16P99);
        WriteLatency(256, figures.Lookup256P50, figures.Lookup256P99);
        WriteLatency(4096, figures.Lookup4096P50, figures.Lookup4096P99);
        Write($"Redis memory: {figures.BytesPerBlock:F1} bytes a block, {figures.BytesPerEntry:F1} an entry");

        static void WriteLatency(int blocks, double p50, double p99) => Write($"lookup of {blocks,4} blocks: p50 {p50:F3} ms, p99 {p99:F3} ms");

        static void Write(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }
}
