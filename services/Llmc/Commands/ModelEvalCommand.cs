using System.CommandLine;
using System.Globalization;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Evaluation;
using LlmCluster.Evaluation.Results;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using Spectre.Console;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc model eval DIR</c>: has a model answer held-out conversations and counts what it gets right.</summary>
internal static class ModelEvalCommand
{
    /// <summary>Where a checkpoint keeps its held-out conversations.</summary>
    private static readonly string DefaultData = Path.Combine("eval", "heldout.jsonl");

    public static Command Create()
    {
        var model = new Argument<DirectoryInfo>("DIR") { Description = "Checkpoint in Hugging Face layout, with a tokenizer and a chat template." };
        var data = new Option<FileInfo?>("--data") { Description = $"Held-out conversations, one JSON object a line; DIR/{DefaultData} by default.", HelpName = "FILE" };
        var skills = new Option<string[]>("--skill")
        {
            Description = "Only this skill, with all its context lengths (recall) or with one (recall_512); may be given several times.",
            HelpName = "NAME",
            DefaultValueFactory = _ => [],
        };
        var limit = new Option<int?>("--limit") { Description = "Only the first N conversations of each skill and context length.", HelpName = "N" };
        var failures = new Option<int>("--failures") { Description = "Print up to N wrong answers of each skill and context length.", HelpName = "N" };
        var parallel = new Option<int>("--parallel")
        {
            Description = "Conversations that are answered at the same time; never changes an answer.",
            DefaultValueFactory = _ => 32,
        };
        var threads = new Option<int>("--threads") { Description = "Threads of the model runner.", DefaultValueFactory = _ => UsableProcessors.Count };
        string[] dtypes = [.. Enum.GetNames<WeightDtype>().Select(name => name.ToLowerInvariant())];
        var dtype = new Option<string?>("--dtype") { Description = $"Number format of the weights: {string.Join(", ", dtypes)}; by default the checkpoint's." };
        dtype.AcceptOnlyFromAmong(dtypes);
        Option<FileInfo?> json = BenchReport.Option();
        var predictions = new Option<FileInfo?>("--predictions") { Description = "File that gets every answer with its token ids, one JSON object a line.", HelpName = "FILE" };
        var command = new Command("eval", "Measures what a model can do, on held-out conversations.")
        {
            model, data, skills, limit, failures, parallel, threads, dtype, json, predictions,
        };
        command.SetAction(CommandRunner.Guard("model eval", async (result, cancellation) =>
        {
            string directory = result.GetRequiredValue(model).FullName;
            var options = new EvaluationOptions
            {
                ModelDirectory = directory,
                DataFile = result.GetValue(data)?.FullName ?? Path.Combine(directory, DefaultData),
                Skills = result.GetRequiredValue(skills),
                Limit = result.GetValue(limit),
                Parallel = result.GetValue(parallel),
                Cpu = new CpuOptions
                {
                    Threads = result.GetValue(threads),
                    Weights = result.GetValue(dtype) is { } name ? Enum.Parse<WeightDtype>(name, ignoreCase: true) : null,
                },
            };
            EvaluationReport report;
            using (var progress = new CountProgress(Console.Error, !Console.IsErrorRedirected))
            {
                report = await ModelEvaluation.RunAsync(options, progress, cancellation);
            }

            Print(report);
            WrongAnswers.Print(report.Results, result.GetValue(failures), Console.Out);
            await BenchReport.WriteAsync(result.GetValue(json), report, cancellation);
            if (result.GetValue(predictions) is { } file)
            {
                await PredictionFile.WriteAsync(file.FullName, report.Results, cancellation);
            }

            return 0;
        }));
        return command;
    }

    private static void Print(EvaluationReport report)
    {
        Table table = new Table().RoundedBorder().AddColumn("skill");
        foreach (string figure in (string[])["accuracy", "right", "of", "median prompt tokens"])
        {
            table.AddColumn(new TableColumn(figure).RightAligned());
        }

        foreach (SkillScore score in report.Scores)
        {
            table.AddRow(
                Markup.Escape(score.Name),
                string.Create(CultureInfo.InvariantCulture, $"{100 * score.Accuracy:F1} %"),
                score.Right.ToString(CultureInfo.InvariantCulture),
                score.Count.ToString(CultureInfo.InvariantCulture),
                score.MedianPromptTokens.ToString(CultureInfo.InvariantCulture));
        }

        AnsiConsole.Write(table);
        long prompt = report.Results.Sum(r => (long)r.PromptIds.Count);
        long cached = report.Results.Sum(r => (long)r.CachedPromptTokens);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.Model} ({report.Fingerprint}), weights {report.Dtype}: {report.Results.Count} conversations, {prompt} prompt tokens ({100.0 * cached / prompt:F1} % from the prefix cache), {report.Results.Sum(r => (long)r.OutputIds.Count)} new ones, {report.Elapsed.TotalSeconds:F1} s"));
    }
}
