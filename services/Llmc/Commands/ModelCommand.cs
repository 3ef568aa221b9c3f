using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using Spectre.Console;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc model</c>: makes and evaluates checkpoints.</summary>
internal static class ModelCommand
{
    /// <summary>From this size on, in bytes, progress is shown.</summary>
    private const long LargeBytes = 64 << 20;

    public static Command Create() => new("model", "Makes and evaluates checkpoints.")
    {
        CreateRandom(), ModelQuantizeCommand.Create(), ModelEvalCommand.Create(), ModelPerplexityCommand.Create(),
    };

    private static Command CreateRandom()
    {
        Option<string> architecture = Choice("--arch", "Architecture", Enum.GetNames<ModelArchitecture>().Select(name => name.ToLowerInvariant()));
        architecture.Required = true;
        Option<string> preset = Choice("--preset", "Shape", ModelPresets.ByName.Keys);
        preset.DefaultValueFactory = _ => "tiny";
        Option<string> dtype = Choice("--dtype", "Number format of the weights", ["bf16", "f16", "f32"]);
        dtype.DefaultValueFactory = _ => "bf16";
        var seed = new Option<ulong>("--seed") { Description = "Decides the weights: the same seed gives the same bytes on every machine." };
        var output = new Option<DirectoryInfo>("--out") { Description = "Directory to write; created if missing.", Required = true };
        var tied = new Option<bool?>("--tied") { Description = "Whether the output head is the embedding table; by default as the preset has it." };
        var force = new Option<bool>("--force") { Description = "Write even if the directory is not empty." };

        var command = new Command("random", "Writes a checkpoint with random weights in Hugging Face layout.")
        {
            architecture, preset, seed, output, dtype, tied, force,
        };
        command.SetAction((result, cancellation) => Task.FromResult(Run(
            Enum.Parse<ModelArchitecture>(result.GetRequiredValue(architecture), ignoreCase: true),
            ModelPresets.ByName[result.GetRequiredValue(preset)],
            result.GetValue(seed),
            result.GetRequiredValue(output).FullName,
            new RandomCheckpointOptions
            {
                Dtype = Enum.Parse<TensorDtype>(result.GetRequiredValue(dtype), ignoreCase: true),
                TieWordEmbeddings = result.GetValue(tied),
                Overwrite = result.GetValue(force),
            },
            cancellation)));
        return command;
    }

    private static int Run(
        ModelArchitecture architecture,
        ModelPreset preset,
        ulong seed,
        string directory,
        RandomCheckpointOptions options,
        CancellationToken cancellationToken)
    {
        if (File.Exists(directory) || (!options.Overwrite && Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any()))
        {
            Console.Error.WriteLine($"llmc model random: {directory} is not an empty directory; name another, or replace it with --force.");
            return 1;
        }

        ModelConfig config = preset.Config(architecture);
        config = config with { TieWordEmbeddings = options.TieWordEmbeddings ?? config.TieWordEmbeddings };
        long total = RandomCheckpoint.ByteLength(config, options.Dtype);
        var watch = Stopwatch.StartNew();
        try
        {
            if (total < LargeBytes || Console.IsOutputRedirected)
            {
                RandomCheckpoint.Write(config, seed, directory, options, cancellationToken);
            }
            else
            {
                AnsiConsole.Progress().Columns(new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()).Start(context =>
                {
                    ProgressTask task = context.AddTask("weights", maxValue: total);
                    var progress = new BytesProgress(task);
                    RandomCheckpoint.Write(config, seed, directory, options with { Progress = progress }, cancellationToken);
                });
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"llmc model random: {e.Message}");
            return 1;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine($"llmc model random: cancelled; {directory} holds no checkpoint.");
            return 1;
        }

        using Checkpoint checkpoint = Checkpoint.Open(directory);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{directory}: {architecture}, {total / options.Dtype.ElementBytes() / 1e6:F1} million parameters, {total / 1e6:F1} MB {options.Dtype}, fingerprint {checkpoint.Fingerprint}, {watch.Elapsed.TotalSeconds:F1} s"));
        return 0;
    }

    private static Option<string> Choice(string name, string description, IEnumerable<string> values)
    {
        string[] accepted = [.. values];
        var option = new Option<string>(name) { Description = $"{description}: {string.Join(", ", accepted)}." };
        option.AcceptOnlyFromAmong(accepted);
        return option;
    }

    private sealed class BytesProgress(ProgressTask task) : IProgress<long>
    {
        public void Report(long value) => task.Value = value;
    }
}
