using System.CommandLine;
using System.Globalization;
using LlmCluster.Bench.Lengths;
using LlmCluster.CommandLine.Hosting;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc bench lengths</c>: how well output lengths are predicted.</summary>
internal static class BenchLengthsCommand
{
    public static Command Create()
    {
        var defaults = new LengthsBenchmarkOptions { Trace = "" };
        var trace = new Option<string>("--trace")
        {
            Description = "Trace of requests: a JSON object a line with timestamp (ms), input_length, output_length and hash_ids.",
            HelpName = "FILE",
            Required = true,
        };
        Option<int> first = BenchArguments.Number("--ttft", "Milliseconds from a request's arrival to its first token.", defaults.TimeToFirstToken);
        Option<int> each = BenchArguments.Number("--tpot", "Milliseconds from token to token.", defaults.TimePerToken);
        Option<int> after = BenchArguments.Number("--after", "Tokens after which outputs are predicted again.", defaults.After);
        Option<FileInfo?> json = BenchReport.Option();
        var command = new Command("lengths", "Replays a trace of requests through the predictor of output lengths and says how well it predicts.")
        {
            trace, first, each, after, json,
        };
        command.SetAction(CommandRunner.Guard("bench lengths", async (result, cancellation) =>
        {
            var options = new LengthsBenchmarkOptions
            {
                Trace = result.GetRequiredValue(trace),
                TimeToFirstToken = result.GetValue(first),
                TimePerToken = result.GetValue(each),
                After = result.GetValue(after),
            };
            LengthsBenchmarkResult figures = await LengthsBenchmark.RunAsync(options, cancellation);
            Print(figures);
            await BenchReport.WriteAsync(result.GetValue(json), figures, cancellation);
            return 0;
        }));
        return command;
    }

    private static void Print(LengthsBenchmarkResult figures)
    {
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{figures.Requests} requests, at most {figures.MostInFlight} in flight: {figures.TimeToFirstToken} ms to the first token, {figures.TimePerToken} ms to each other"));
        Print("on arrival", figures.Arrival);
        Print("half way", figures.Half);
        Print($"after {figures.AfterTokens} tokens", figures.After);
    }

    private static void Print(string name, LengthFigures? figures)
    {
        if (figures is not null)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{name}, {figures.Outputs} outputs: {figures.Coverage10:F3} {figures.Coverage50:F3} {figures.Coverage90:F3} {figures.Coverage99:F3} within quantiles 0.1 0.5 0.9 0.99"));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  pinball loss {figures.Pinball:F2} tokens: {figures.PinballRatio:F3} of a running mean's {figures.PinballMean:F2}, {figures.PinballRatioGlobal:F3} of one histogram's {figures.PinballGlobal:F2}"));
        }
    }
}
