using System.Runtime.ExceptionServices;
using System.Text.Json;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// Rounds a checkpoint's matrices once, to what <see cref="CpuModel.Load"/> would round them to each time, and writes a checkpoint of the
/// same bits in a new directory (see <see cref="WeightQuantization"/>). It has as many weight files as the source. Other files come along,
/// but for those of weights in other formats, hidden ones and directories.
/// </summary>
public static class CheckpointQuantizer
{
    private static readonly string[] WeightExtensions =
        [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".msgpack", ".tflite"];

    /// <summary>Writes the quantised checkpoint. It appears under its name when it is complete.</summary>
    /// <param name="source">Directory of a checkpoint in F32, F16 or BF16.</param>
    /// <param name="output">Directory to write; missing or empty.</param>
    /// <param name="options">Number format and threads.</param>
    /// <param name="cancellationToken">Ends the work and leaves nothing behind.</param>
    /// <exception cref="ArgumentException">The options are out of range.</exception>
    /// <exception cref="CheckpointException">The source can't be used, or is quantised already.</exception>
    /// <exception cref="IOException">The output is not empty, or can't be written.</exception>
    public static QuantizationResult Write(string source, string output, QuantizationOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output));
        RequireFree(output);
        using Checkpoint checkpoint = Checkpoint.Open(source);
        string configFile = Path.Combine(checkpoint.Directory, ModelConfigReader.FileName);
        if (checkpoint.Config.Quantization is { } already)
        {
            throw new CheckpointException(
                configFile, $"says that weights are quantised to {already.Bits} bits already; quantise the checkpoint that it was made from.");
        }

        string parent = Path.GetDirectoryName(output) ?? throw new IOException($"{output} is no directory that can be made.");
        string made = Path.Combine(parent, $".{Path.GetFileName(output)}-{Guid.NewGuid():N}.partial");
        try
        {
            Directory.CreateDirectory(made);
            var quantization = new WeightQuantization { Bits = options.To == WeightDtype.Q8 ? 8 : 4 };
            var writer = new QuantizedWeightsWriter(checkpoint, quantization, options, made);
            writer.Write(cancellationToken);
            CopyOtherFiles(checkpoint.Directory, made);
            WriteConfig(JsonSettings.Read(configFile), quantization, Path.Combine(made, ModelConfigReader.FileName));
            string fingerprint = Reopen(made);
            RequireFree(output);
            Directory.CreateDirectory(output);
            Directory.Delete(output);
            Directory.Move(made, output);
            return new QuantizationResult(writer.SourceFiles.Sum(Length), Directory.EnumerateFiles(output, "*.safetensors").Sum(Length), fingerprint);
        }
        catch (AggregateException e) when (e.InnerException is { } inner)
        {
            ExceptionDispatchInfo.Throw(inner);
            throw;
        }
        finally
        {
            if (Directory.Exists(made))
            {
                Directory.Delete(made, recursive: true);
            }
        }
    }

    private static long Length(string file) => new FileInfo(file).Length;

    private static void RequireFree(string output)
    {
        if (File.Exists(output) || (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any()))
        {
            throw new IOException($"{output} is not an empty directory; name another.");
        }
    }

    private static string Reopen(string directory)
    {
        using Checkpoint written = Checkpoint.Open(directory);
        return written.Fingerprint;
    }

    private static void CopyOtherFiles(string source, string destination)
    {
        foreach (string file in Directory.EnumerateFiles(source))
        {
            string name = Path.GetFileName(file);
            bool isWritten = name is ModelConfigReader.FileName or WeightFiles.IndexFileName;
            bool isWeights = WeightExtensions.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase)
                || name.EndsWith(".index.json", StringComparison.Ordinal);
            if (!isWritten && !isWeights && name[0] != '.')
            {
                File.Copy(file, Path.Combine(destination, name));
            }
        }
    }

    // The model's other settings stay as they were written.
    private static void WriteConfig(JsonSettings config, WeightQuantization quantization, string path)
    {
        using FileStream stream = File.Create(path);
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            foreach (JsonProperty property in config.Properties())
            {
                if (property.Name != QuantizationReader.Key)
                {
                    property.WriteTo(json);
                }
            }

            json.WriteStartObject(QuantizationReader.Key);
            json.WriteString(QuantizationReader.MethodKey, WeightQuantization.Method);
            json.WriteNumber(QuantizationReader.VersionKey, WeightQuantization.Version);
            json.WriteNumber(QuantizationReader.BitsKey, quantization.Bits);
            json.WriteNumber(QuantizationReader.GroupSizeKey, WeightQuantization.GroupSize);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
