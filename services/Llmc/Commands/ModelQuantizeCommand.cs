using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Evaluation;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc model quantize SRC --to q8|q4 --out DIR</c>: rounds a checkpoint's weights once instead of at each start.</summary>
internal static class ModelQuantizeCommand
{
    public static Command Create()
    {
        var source = new Argument<DirectoryInfo>("SRC") { Description = "Checkpoint in Hugging Face layout, with weights in F32, F16 or BF16." };
        var format = new Option<string>("--to")
        {
            Description = "Number format of matrices: integers of eight (q8) or four (q4) bits, 32 with a scale.",
            HelpName = "q8|q4",
            Required = true,
        };
        format.AcceptOnlyFromAmong("q8", "q4");
        var output = new Option<DirectoryInfo>("--out") { Description = "Directory to write; created if missing.", HelpName = "DIR", Required = true };
        var threads = new Option<int>("--threads") { Description = "Threads that round.", DefaultValueFactory = _ => UsableProcessors.Count };
        var command = new Command(
            "quantize", "Writes a checkpoint with weights in fewer bits. It gives the very bits that its source gives with --quantize, from smaller files.")
        {
            source, format, output, threads,
        };
        command.SetAction(CommandRunner.Guard("model quantize", async (result, cancellation) =>
        {
            string directory = result.GetRequiredValue(output).FullName;
            WeightDtype to = BenchArguments.Parse<WeightDtype>(result.GetRequiredValue(format));
            var watch = Stopwatch.StartNew();
            QuantizationResult written;
            using (var count = new CountProgress(Console.Error, !Console.IsErrorRedirected))
            {
                var options = new QuantizationOptions { To = to, Threads = result.GetValue(threads), Progress = new TensorProgress(count) };
                written = await Task.Run(
                    () => CheckpointQuantizer.Write(result.GetRequiredValue(source).FullName, directory, options, cancellation), cancellation);
            }

            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{directory}: {to}, {written.BytesBefore / 1e6:F1} MB before, {written.BytesAfter / 1e6:F1} MB after ({100.0 * written.BytesAfter / written.BytesBefore:F1} %), fingerprint {written.Fingerprint}, {watch.Elapsed.TotalSeconds:F1} s"));
            return 0;
        }));
        return command;
    }

    private sealed class TensorProgress(CountProgress count) : IProgress<QuantizationProgress>
    {
        public void Report(QuantizationProgress value) => count.Report(new EvaluationProgress(value.Done, value.Total));
    }
}
