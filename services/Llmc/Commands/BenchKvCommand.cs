using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Kv;
using LlmCluster.CommandLine.Hosting;
using Spectre.Console;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench kv</c>: KV transfer over gRPC beside bare HTTP/2.</summary>
internal static class BenchKvCommand
{
    public static Command Create()
    {
        var defaults = new KvBenchmarkOptions();
        Option<int> prompt = BenchArguments.Number("--prompt", "Tokens of each prompt.", defaults.PromptTokens);
        Option<int> chunk = BenchArguments.Number("--chunk", "Tokens of a chunk of prefill.", defaults.ChunkTokens);
        Option<int> frame = BenchArguments.Number("--frame", "Largest payload of a frame in bytes.", defaults.FrameBytes);
        Option<int> window = BenchArguments.Number("--window", "HTTP/2 window in bytes, for both.", defaults.WindowBytes);
        Option<int> prompts = BenchArguments.Number("--prompts", "Prompts of each round.", defaults.Prompts);
        Option<int> parallel = BenchArguments.Number("--parallel", "Prompts that are transferred at the same time.", defaults.Parallel);
        Option<int> rounds = BenchArguments.Number("--rounds", "Measured rounds, after eight seconds to warm up; medians are reported.", defaults.Rounds);
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("kv", "Measures KV transfer over gRPC between two pools of the 88m model's shape, beside bare HTTP/2.")
        {
            prompt, chunk, frame, window, prompts, parallel, rounds, json,
        };
        command.SetAction(CommandRunner.Guard("bench kv", async (result, cancellation) =>
        {
            var options = new KvBenchmarkOptions
            {
                PromptTokens = result.GetValue(prompt),
                ChunkTokens = result.GetValue(chunk),
                FrameBytes = result.GetValue(frame),
                WindowBytes = result.GetValue(window),
                Prompts = result.GetValue(prompts),
                Parallel = result.GetValue(parallel),
                Rounds = result.GetValue(rounds),
            };
            KvBenchmarkResult figures = await KvBenchmark.RunAsync(options, new Ignore(), cancellation);
            Print(figures);
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static void Print(KvBenchmarkResult figures)
    {
        Table table = new Table().RoundedBorder().AddColumn("").AddColumn(new TableColumn("GB/s").RightAligned()).AddColumn(new TableColumn("CPU s/GB").RightAligned()).AddColumn("rounds");
        AddRow("KV over gRPC", figures.Grpc, figures.GrpcCpu, figures.GrpcRounds);
        AddRow("bare HTTP/2", figures.Http2, figures.Http2Cpu, figures.Http2Rounds);
        AnsiConsole.Write(table);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"fraction {figures.Fraction:F3}; {figures.Layout}, {figures.Prompts} prompts of {figures.PromptTokens} tokens ({figures.PromptBytes / 1e6:F1} MB), frames of {figures.FrameBytes} bytes, {figures.Parallel} at a time"));

        void AddRow(string name, double median, double cpu, IReadOnlyList<double> rounds) =>
            table.AddRow(name, Format(median), Format(cpu), string.Join(" ", rounds.Select(Format)));
    }

    private static string Format(double rate) => rate.ToString("F3", CultureInfo.InvariantCulture);

    private sealed class Ignore : IProgress<string>
    {
        public void Report(string value)
        {
        }
    }
}
