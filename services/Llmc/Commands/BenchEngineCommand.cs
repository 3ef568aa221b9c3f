using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Engine;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using Spectre.Console;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench engine</c>: prefill and decode speed of the CPU backend.</summary>
internal static class BenchEngineCommand
{
    public static Command Create()
    {
        var defaults = new EngineBenchmarkOptions();
        Option<string> preset = BenchArguments.Preset();
        Option<string> architecture = BenchArguments.Choice("--arch", "Its architecture", BenchArguments.Names<ModelArchitecture>(), "llama");
        var model = new Option<DirectoryInfo?>("--model") { Description = "Checkpoint to measure instead of a random one." };
        var threads = new Option<int?>("--threads") { Description = $"Threads of the model runner. [default: one for each processor of --affinity, or else {UsableProcessors.Count}]", HelpName = "N" };
        var affinity = new Option<string?>("--affinity") { Description = "Processors, such as 0-3,8, that the threads are tied to, one each.", HelpName = "LIST" };
        Option<int> prompt = BenchArguments.Number("--prompt", "Tokens of each prompt.", defaults.PromptTokens);
        Option<int> generated = BenchArguments.Number("--new", "Tokens that each sequence decodes.", defaults.NewTokens);
        Option<int> parallel = BenchArguments.Number("--parallel", "Sequences that decode together.", defaults.Parallel);
        Option<int> chunk = BenchArguments.Number("--chunk", "Most prompt tokens of one forward pass.", defaults.ChunkTokens);
        Option<int> runs = BenchArguments.Number("--runs", "Measured runs after one to warm up; medians are reported.", defaults.Runs);
        Option<string?> dtype = Optional("--dtype", "Number format of the weights; by default the checkpoint's, bf16 for a random model", BenchArguments.Names<WeightDtype>());
        Option<string?> kv = Optional("--kv-dtype", "Number format of the KV cache; by default that of the weights", BenchArguments.Names<KvDtype>());
        Option<string?> isa = Optional("--isa", "Instruction set; by default the widest", BenchArguments.Names<CpuIsa>());
        var prefetch = new Option<bool?>("--prefetch-weights")
        {
            Description = $"Whether decode asks memory ahead for weights. [default: {(new CpuOptions().PrefetchesWeights ? "true" : "false")} on this processor]",
            HelpName = "true|false",
        };
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("engine", "Measures prefill and decode of the CPU backend, in tokens per second.")
        {
            preset, architecture, model, threads, affinity, prompt, generated, parallel, chunk, runs, dtype, kv, isa, prefetch, json,
        };
        command.SetAction(CommandRunner.Guard("bench engine", async (result, cancellation) =>
        {
            var options = new EngineBenchmarkOptions
            {
                Preset = ModelPresets.ByName[result.GetRequiredValue(preset)],
                Architecture = BenchArguments.Parse<ModelArchitecture>(result.GetRequiredValue(architecture)),
                ModelDirectory = result.GetValue(model)?.FullName,
                Threads = result.GetValue(threads),
                Affinity = result.GetValue(affinity),
                PromptTokens = result.GetValue(prompt),
                NewTokens = result.GetValue(generated),
                Parallel = result.GetValue(parallel),
                ChunkTokens = result.GetValue(chunk),
                Runs = result.GetValue(runs),
                Weights = result.GetValue(dtype) is { } dtypeName ? BenchArguments.Parse<WeightDtype>(dtypeName) : null,
                Kv = result.GetValue(kv) is { } kvName ? BenchArguments.Parse<KvDtype>(kvName) : null,
                Isa = result.GetValue(isa) is { } isaName ? BenchArguments.Parse<CpuIsa>(isaName) : null,
                PrefetchWeights = result.GetValue(prefetch),
            };
            EngineBenchmarkResult figures = await MeasureAsync(options, cancellation);
            Print(figures);
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static async Task<EngineBenchmarkResult> MeasureAsync(EngineBenchmarkOptions options, CancellationToken cancellation)
    {
        if (Console.IsOutputRedirected)
        {
            return EngineBenchmark.Run(options, new StatusText(null), cancellation);
        }

        return await AnsiConsole.Status().StartAsync(
            "starting", context => Task.Run(() => EngineBenchmark.Run(options, new StatusText(context), cancellation), cancellation));
    }

    private static void Print(EngineBenchmarkResult figures)
    {
        Table table = new Table().RoundedBorder().AddColumn("").AddColumn(new TableColumn("tok/s").RightAligned()).AddColumn("runs");
        AddRow("prefill", figures.PrefillTokensPerSecond, figures.PrefillRuns);
        AddRow("decode", figures.DecodeTokensPerSecond, figures.DecodeRuns);
        AnsiConsole.Write(table);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"products {figures.Gemm:F1} of {figures.FmaPeak:F1} GFLOP/s: {figures.GemmFraction:F3} (fastest tenth: {figures.GemmFractionUndisturbed:F3}); weights read in decode {figures.DecodeBytes:F1} of {figures.Bandwidth:F1} GB/s: {figures.BandwidthFraction:F3}"));
        Console.WriteLine(
            $"{figures.Preset} {figures.Architecture}, weights {figures.Dtype}, KV {figures.KvDtype}, {figures.Isa}, {figures.Threads} threads, "
            + $"{figures.Parallel} × ({figures.PromptTokens} prompt + {figures.NewTokens} new) tokens");

        void AddRow(string name, double median, IReadOnlyList<double> runs) =>
            table.AddRow(name, Format(median), string.Join(" ", runs.Select(Format)));
    }

    private static string Format(double rate) => rate.ToString("F1", CultureInfo.InvariantCulture);

    private static Option<string?> Optional(string name, string description, string[] values)
    {
        var option = new Option<string?>(name) { Description = $"{description}: {string.Join(", ", values)}." };
        option.AcceptOnlyFromAmong(values);
        return option;
    }

    private sealed class StatusText(StatusContext? context) : IProgress<string>
    {
        public void Report(string value) => context?.Status(value);
    }
}
