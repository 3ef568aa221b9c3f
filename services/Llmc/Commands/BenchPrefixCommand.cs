using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Prefix;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench prefix</c>: what the prefix cache saves.</summary>
internal static class BenchPrefixCommand
{
    public static Command Create()
    {
        var defaults = new PrefixBenchmarkOptions();
        Option<string> preset = BenchArguments.Preset();
        Option<string> dtype = BenchArguments.Dtype();
        Option<int> threads = BenchArguments.Number("--threads", "Threads of the worker.", defaults.Threads);
        Option<int> prompt = BenchArguments.Number("--prompt", "Tokens of each prompt.", defaults.PromptTokens);
        Option<int> shared = BenchArguments.Number("--shared", "Leading tokens that two prompts have in common.", defaults.SharedTokens);
        Option<int> runs = BenchArguments.Number("--runs", "Runs after one to warm up; medians are reported.", defaults.Runs);
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("prefix", "Measures the time to the first token of a new prompt, and of one whose beginning is in the prefix cache.")
        {
            preset, dtype, threads, prompt, shared, runs, json,
        };
        command.SetAction(CommandRunner.Guard("bench prefix", async (result, cancellation) =>
        {
            var options = new PrefixBenchmarkOptions
            {
                Preset = ModelPresets.ByName[result.GetRequiredValue(preset)],
                Weights = BenchArguments.Parse<WeightDtype>(result.GetRequiredValue(dtype)),
                Threads = result.GetValue(threads),
                PromptTokens = result.GetValue(prompt),
                SharedTokens = result.GetValue(shared),
                Runs = result.GetValue(runs),
            };
            PrefixBenchmarkResult figures = await PrefixBenchmark.RunAsync(options, new StandardErrorProgress(), cancellation);
            Console.WriteLine($"cold {Format(figures.Cold)} ms ({Format(figures.ColdRuns)})");
            Console.WriteLine($"hit  {Format(figures.Hit)} ms ({Format(figures.HitRuns)})");
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{figures.Ratio:F2} times sooner; {figures.CachedTokens} of {figures.PromptTokens} tokens in the cache, {figures.Threads} threads"));
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static string Format(IReadOnlyList<double> runs) => string.Join(" ", runs.Select(Format));

    private static string Format(double milliseconds) => milliseconds.ToString("F1", CultureInfo.InvariantCulture);
}
