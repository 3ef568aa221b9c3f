using System.CommandLine;
using System.Globalization;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Evaluation.Perplexity;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc model perplexity DIR</c>: how well a model foresees what assistants say, in a number format.</summary>
internal static class ModelPerplexityCommand
{
    private static readonly string DefaultData = Path.Combine("eval", "heldout.jsonl");

    public static Command Create()
    {
        var model = new Argument<DirectoryInfo>("DIR") { Description = "Checkpoint in Hugging Face layout, with a tokenizer and a chat template." };
        var data = new Option<FileInfo?>("--data") { Description = $"Conversations with answers, one JSON object a line; DIR/{DefaultData} by default.", HelpName = "FILE" };
        var limit = new Option<int?>("--limit") { Description = "Only the first N conversations.", HelpName = "N" };
        var threads = new Option<int>("--threads") { Description = "Threads of the model runner.", DefaultValueFactory = _ => UsableProcessors.Count };
        Option<string?> dtype = Format<WeightDtype>("--dtype", "the weights");
        Option<string?> kv = Format<KvDtype>("--kv", "the KV cache");
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("perplexity", "Measures how well a model foresees held-out answers; compares number formats.")
        {
            model, data, limit, threads, dtype, kv, json,
        };
        command.SetAction(CommandRunner.Guard("model perplexity", async (result, cancellation) =>
        {
            string directory = result.GetRequiredValue(model).FullName;
            var options = new PerplexityOptions
            {
                ModelDirectory = directory,
                DataFile = result.GetValue(data)?.FullName ?? Path.Combine(directory, DefaultData),
                Limit = result.GetValue(limit),
                Cpu = new CpuOptions
                {
                    Threads = result.GetValue(threads),
                    Weights = result.GetValue(dtype) is { } weights ? Enum.Parse<WeightDtype>(weights, ignoreCase: true) : null,
                    Kv = result.GetValue(kv) is { } cache ? Enum.Parse<KvDtype>(cache, ignoreCase: true) : null,
                },
            };
            PerplexityReport report;
            using (var progress = new CountProgress(Console.Error, !Console.IsErrorRedirected))
            {
                report = await Task.Run(() => PerplexityMeasurement.Run(options, progress, cancellation), cancellation);
            }

            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Model}, weights {report.Weights} ({report.WeightBytes / 1e6:F1} MB), KV {report.Kv}: perplexity {report.Perplexity:F5} over {report.Tokens} tokens of {report.Conversations} conversations"));
            await BenchReport.WriteAsync(result.GetValue(json), report, cancellation);
            return 0;
        }));
        return command;
    }

    private static Option<string?> Format<T>(string name, string what)
        where T : struct, Enum
    {
        string[] names = [.. Enum.GetNames<T>().Select(value => value.ToLowerInvariant())];
        var option = new Option<string?>(name) { Description = $"Number format of {what}: {string.Join(", ", names)}; by default the checkpoint's." };
        option.AcceptOnlyFromAmong(names);
        return option;
    }
}
