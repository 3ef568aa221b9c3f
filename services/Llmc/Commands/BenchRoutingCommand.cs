using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Routing;
using LlmCluster.CommandLine.Hosting;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench routing</c>: placement policies against simulated workers.</summary>
internal static class BenchRoutingCommand
{
    public static Command Create()
    {
        var defaults = new RoutingBenchmarkOptions { Trace = "" };
        var trace = new Option<string>("--trace")
        {
            Description = "Trace of requests: a JSON object a line with timestamp (ms), input_length, output_length and hash_ids, one a 512 tokens of the prompt.",
            HelpName = "FILE",
            Required = true,
        };
        Option<int> requests = BenchArguments.Number("--requests", "Requests to take from the trace's start.", defaults.Requests);
        Option<double> rate = Real("--rate-scale", "Requests arrive this much faster than the trace says.", defaults.RateScale);
        Option<int> prefill = BenchArguments.Number("--prefill", "Prefill workers.", defaults.Prefill);
        Option<int> decode = BenchArguments.Number("--decode", "Decode workers.", defaults.Decode);
        Option<int> mixed = BenchArguments.Number("--mixed", "Mixed workers.", defaults.Mixed);
        var policies = new Option<string[]>("--policies")
        {
            Description = $"Policies to compare, of {string.Join(", ", defaults.Policies)}.",
            HelpName = "NAME",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [.. defaults.Policies],
        };
        Option<int> pool = BenchArguments.Number("--pool-blocks", "Blocks of 512 tokens in a worker's KV pool.", defaults.PoolBlocks);
        Option<int> token = BenchArguments.Number("--token-kib", "KiB of K/V of a token.", defaults.TokenKiB);
        Option<int> prefillRate = BenchArguments.Number("--prefill-rate", "Prompt tokens that a worker computes in a second, attention left aside.", defaults.PrefillRate);
        Option<int> attention = BenchArguments.Number(
            "--attention-tokens", "After so many tokens, attention takes as long for a token as all the rest.", defaults.AttentionTokens);
        Option<int> transfer = BenchArguments.Number("--transfer-mb", "Megabytes that a worker sends in a second.", defaults.TransferMBs);
        Option<double> step = Real("--step-ms", "Milliseconds of a decode step.", defaults.StepMs);
        Option<double> sequence = Real("--sequence-ms", "Milliseconds that each sequence adds to it.", defaults.SequenceMs);
        Option<int> longest = BenchArguments.Number("--max-step-ms", "Longest step in milliseconds where prompts are computed between decode steps.", defaults.MaxStepMs);
        Option<int> report = BenchArguments.Number("--report-ms", "Milliseconds between reports of load.", defaults.ReportMs);
        Option<int> directory = BenchArguments.Number("--directory-ms", "Milliseconds until gateways know that a block came or went.", defaults.DirectoryMs);
        Option<int> limit = BenchArguments.Number("--queue-limit", "Seconds to the first token beyond which a request is rejected.", defaults.QueueLimit);
        Option<int> seed = BenchArguments.Number("--seed", "Draws when workers report.", defaults.Seed);
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("routing", "Replays a trace of requests through the placement policies against simulated workers.")
        {
            trace, requests, rate, prefill, decode, mixed, policies, pool, token, prefillRate, attention, transfer, step, sequence, longest, report, directory, limit,
            seed, json,
        };
        command.SetAction(CommandRunner.Guard("bench routing", async (result, cancellation) =>
        {
            var options = new RoutingBenchmarkOptions
            {
                Trace = result.GetRequiredValue(trace),
                Requests = result.GetValue(requests),
                RateScale = result.GetValue(rate),
                Prefill = result.GetValue(prefill),
                Decode = result.GetValue(decode),
                Mixed = result.GetValue(mixed),
                Policies = result.GetValue(policies) ?? [],
                PoolBlocks = result.GetValue(pool),
                TokenKiB = result.GetValue(token),
                PrefillRate = result.GetValue(prefillRate),
                AttentionTokens = result.GetValue(attention),
                TransferMBs = result.GetValue(transfer),
                StepMs = result.GetValue(step),
                SequenceMs = result.GetValue(sequence),
                MaxStepMs = result.GetValue(longest),
                ReportMs = result.GetValue(report),
                DirectoryMs = result.GetValue(directory),
                QueueLimit = result.GetValue(limit),
                Seed = result.GetValue(seed),
            };
            RoutingBenchmarkResult figures = await RoutingBenchmark.RunAsync(options, cancellation);
            Print(figures);
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static Option<double> Real(string name, string description, double defaultValue) =>
        new(name) { Description = description, DefaultValueFactory = _ => defaultValue };

    private static void Print(RoutingBenchmarkResult figures)
    {
        foreach (string line in figures.CostModel)
        {
            Console.WriteLine(line);
        }

        CultureInfo culture = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(
            culture, $"{figures.Requests} requests in {figures.Seconds} s, {figures.PromptTokens} prompt tokens; best hit rate possible {figures.BestHitRate:F4}"));
        Console.WriteLine(
            $"{"",-21}{"hit rate",9}{"of best",9}{"TTFT p50",10}{"p99",9}{"mean ms",9}{"TPOT p50",10}{"p99 ms",8}{"balance",9}{"busy",7}{"fetches",9}{"local",7}{"rejected",10}");
        foreach ((string name, PolicyFigures policy) in figures.Policies)
        {
            double share = figures.BestHitRate > 0 ? policy.HitRate / figures.BestHitRate : 1;
            Console.WriteLine(string.Create(
                culture,
                $"{name,-21}{policy.HitRate,9:F4}{share,9:F3}{policy.TtftP50,10:F0}{policy.TtftP99,9:F0}{policy.TtftMean,9:F0}{policy.TpotP50,10:F1}{policy.TpotP99,8:F1}{policy.Balance,9:F2}{policy.Utilisation,7:F2}{policy.Fetches,9}{policy.Local,7}{policy.Rejected,10}"));
        }
    }
}
