using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Interference;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models.Synthetic;
using Spectre.Console;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench interference</c>: what long prompts do to streams that are running.</summary>
internal static class BenchInterferenceCommand
{
    public static Command Create()
    {
        var defaults = new InterferenceBenchmarkOptions();
        Option<string> preset = BenchArguments.Preset();
        Option<string> dtype = BenchArguments.Dtype();
        Option<int> threads = BenchArguments.Number("--threads", "Threads of a mixed worker; a prefill and a decode worker have half of them each.", defaults.Threads);
        Option<int> streams = BenchArguments.Number("--streams", "Sequences that decode all the time.", defaults.Streams);
        Option<int> prompt = BenchArguments.Number("--prompt", "Tokens of the prompts that arrive.", defaults.PromptTokens);
        Option<int> prompts = BenchArguments.Number("--prompts", "Prompts that arrive in each run.", defaults.Prompts);
        Option<int> step = BenchArguments.Number("--step-ms", "Longest step with chunks, in milliseconds; 0: 1.6 times the quiet step.", 0);
        Option<int> runs = BenchArguments.Number("--runs", "Runs; medians are reported.", defaults.Runs);
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("interference", "Measures the time between tokens of running streams while long prompts arrive: on a mixed worker in one step and in chunks, and with prefill and decode apart.")
        {
            preset, dtype, threads, streams, prompt, prompts, step, runs, json,
        };
        command.SetAction(CommandRunner.Guard("bench interference", async (result, cancellation) =>
        {
            var options = new InterferenceBenchmarkOptions
            {
                Preset = ModelPresets.ByName[result.GetRequiredValue(preset)],
                Weights = BenchArguments.Parse<WeightDtype>(result.GetRequiredValue(dtype)),
                Threads = result.GetValue(threads),
                Streams = result.GetValue(streams),
                PromptTokens = result.GetValue(prompt),
                Prompts = result.GetValue(prompts),
                StepTime = TimeSpan.FromMilliseconds(result.GetValue(step)),
                Runs = result.GetValue(runs),
            };
            InterferenceBenchmarkResult figures = await InterferenceBenchmark.RunAsync(options, new StandardErrorProgress(), cancellation);
            Print(figures);
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static void Print(InterferenceBenchmarkResult figures)
    {
        Table table = new Table().RoundedBorder().AddColumn("ms");
        foreach (string column in (string[])["quiet p50", "quiet p99", "p50", "p99", "p99 / quiet", "runs", "TTFT"])
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach ((string name, InterferenceMode mode) in figures.Modes)
        {
            table.AddRow(
                name, Format(mode.QuietP50), Format(mode.QuietP99), Format(mode.P50), Format(mode.P99), Format(mode.Ratio, 2),
                string.Join(" ", mode.Ratios.Select(ratio => Format(ratio, 2))), Format(mode.Ttft, 0));
        }

        AnsiConsole.Write(table);
        Console.WriteLine($"{figures.Streams} streams, {figures.Prompts} prompts of {figures.PromptTokens} tokens a run, {figures.Threads} threads in all");
    }

    private static string Format(double value, int digits = 1) => value.ToString($"F{digits}", CultureInfo.InvariantCulture);
}
