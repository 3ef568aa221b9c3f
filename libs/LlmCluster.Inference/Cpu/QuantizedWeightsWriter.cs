using System.Runtime.InteropServices;
using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>Writes the weight files of a quantised checkpoint: one for each of the source's that holds tensors of the model.</summary>
internal sealed class QuantizedWeightsWriter
{
    /// <summary>Numbers of a matrix that are rounded before they are written.</summary>
    private const int PieceElements = 1 << 22;

    private readonly WeightQuantization _quantization;
    private readonly QuantizationOptions _options;
    private readonly string _directory;
    private readonly List<(string File, List<Source> Tensors)> _shards;
    private int _done;

    public QuantizedWeightsWriter(Checkpoint checkpoint, WeightQuantization quantization, QuantizationOptions options, string directory)
    {
        _quantization = quantization;
        _options = options;
        _directory = directory;
        _shards = [.. ModelTensors.All(checkpoint.Config)
            .Select(spec => new Source(
                checkpoint.GetTensor(spec), spec.Role is TensorRole.InputProjection or TensorRole.OutputProjection or TensorRole.Head))
            .GroupBy(source => source.Tensor.File, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => (group.Key, group.ToList()))];
    }

    /// <summary>Paths of the source's files.</summary>
    public IEnumerable<string> SourceFiles => _shards.Select(shard => shard.File);

    /// <summary>Writes all files.</summary>
    public void Write(CancellationToken cancellationToken)
    {
        var index = new List<(string Tensor, string File)>();
        long total = 0;
        for (int i = 0; i < _shards.Count; i++)
        {
            string file = _shards.Count == 1 ? WeightFiles.SingleFileName : WeightIndex.ShardName(i, _shards.Count);
            List<Source> sources = _shards[i].Tensors;
            SafetensorsTensor[] tensors = [.. sources.SelectMany(Outputs)];
            using var writer = new SafetensorsWriter(Path.Combine(_directory, file), tensors);
            foreach (Source source in sources)
            {
                if (source.IsMatrix)
                {
                    Quantize(source.Tensor, writer, cancellationToken);
                }
                else
                {
                    Copy(source.Tensor, writer, cancellationToken);
                }

                _options.Progress?.Report(new QuantizationProgress(++_done, _shards.Sum(shard => shard.Tensors.Count)));
            }

            writer.Complete();
            index.AddRange(tensors.Select(tensor => (tensor.Name, file)));
            total += tensors.Sum(tensor => tensor.ByteLength);
        }

        if (_shards.Count > 1)
        {
            WeightIndex.Write(_directory, total, index);
        }
    }

    private SafetensorsTensor[] Outputs(Source source)
    {
        TensorView tensor = source.Tensor;
        return source.IsMatrix
            ? [Output(_quantization.Integers(tensor.Name, tensor.Rows, tensor.RowLength)), Output(_quantization.Scales(tensor.Name, tensor.Rows, tensor.RowLength))]
            : [new SafetensorsTensor(tensor.Name, tensor.Dtype, tensor.Shape.ToArray())];
    }

    private static SafetensorsTensor Output(TensorSpec spec) => new(spec.Name, spec.Dtype!.Value, spec.Shape);

    private static unsafe void Copy(TensorView tensor, SafetensorsWriter writer, CancellationToken cancellationToken)
    {
        for (long done = 0; done < tensor.ByteLength; done += PieceElements)
        {
            cancellationToken.ThrowIfCancellationRequested();
            writer.Write(new ReadOnlySpan<byte>(tensor.Pointer + done, (int)Math.Min(PieceElements, tensor.ByteLength - done)));
        }
    }

    // Integers go to the file piece by piece; the scales, which stand behind them, wait.
    private void Quantize(TensorView tensor, SafetensorsWriter writer, CancellationToken cancellationToken)
    {
        int inputs = tensor.RowLength;
        int groups = QuantizedGroup.Count(inputs);
        int rowBytes = _options.To == WeightDtype.Q8 ? inputs : NibblePairs.Count(inputs);
        int pieceRows = Math.Clamp(PieceElements / inputs, 1, tensor.Rows);
        byte[] bytes = new byte[pieceRows * rowBytes];
        float[] scales = new float[pieceRows * groups];
        ushort[] halves = new ushort[scales.Length];
        var allScales = new MemoryStream(checked(tensor.Rows * groups * sizeof(ushort)));
        for (int first = 0; first < tensor.Rows; first += pieceRows)
        {
            int origin = first;
            int rows = Math.Min(pieceRows, tensor.Rows - first);
            Parallel.For(
                0,
                rows,
                new ParallelOptions { MaxDegreeOfParallelism = _options.Threads, CancellationToken = cancellationToken },
                () => (Numbers: new float[inputs], Integers: new sbyte[inputs]),
                (row, _, scratch) =>
                {
                    tensor.ReadRow(origin + row, scratch.Numbers);
                    QuantizedGroup.Quantize(_options.To, scratch.Numbers, scratch.Integers, scales.AsSpan(row * groups, groups));
                    Store(scratch.Integers, bytes.AsSpan(row * rowBytes, rowBytes));
                    return scratch;
                },
                static _ => { });
            writer.Write(bytes.AsSpan(0, rows * rowBytes));
            for (int i = 0; i < rows * groups; i++)
            {
                halves[i] = Bfloat16.FromSingle(scales[i]);
            }

            allScales.Write(MemoryMarshal.AsBytes(halves.AsSpan(0, rows * groups)));
        }

        writer.Write(allScales.GetBuffer().AsSpan(0, (int)allScales.Length));
    }

    private void Store(ReadOnlySpan<sbyte> integers, Span<byte> row)
    {
        if (_options.To == WeightDtype.Q8)
        {
            MemoryMarshal.AsBytes(integers).CopyTo(row);
        }
        else
        {
            NibblePairs.Pack(integers, row);
        }
    }

    /// <summary>A tensor of the source; a matrix is rounded, anything else is copied.</summary>
    private readonly record struct Source(TensorView Tensor, bool IsMatrix);
}
