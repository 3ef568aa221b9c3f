using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>Reads a checkpoint's tensors into the form that the kernels want.</summary>
internal sealed class WeightLoader(Checkpoint checkpoint, WeightDtype dtype, int group, int threads)
{
    public ModelConfig Config => checkpoint.Config;

    /// <summary>A vector, filled up with zeros to whole panels.</summary>
    public NativeBuffer Vector(string name, int count)
    {
        NativeBuffer buffer = NativeBuffer.OfFloats(Panel.RoundUp(count));
        CopyVector(buffer, 0, name, count);
        return buffer;
    }

    /// <summary>Vectors at the places of the parts of <paramref name="matrix"/>.</summary>
    public NativeBuffer Vectors(PackedMatrix matrix, params ReadOnlySpan<(string Name, int Count)> parts)
    {
        NativeBuffer buffer = NativeBuffer.OfFloats(matrix.Width);
        for (int i = 0; i < parts.Length; i++)
        {
            CopyVector(buffer, matrix.Offset(i), parts[i].Name, parts[i].Count);
        }

        return buffer;
    }

    /// <summary>Matrices <c>[outputs, inputs]</c> side by side.</summary>
    public PackedMatrix Matrix(int inputs, params ReadOnlySpan<(string Name, int Outputs)> parts)
    {
        var sources = new MatrixPart[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            (string name, int outputs) = parts[i];
            sources[i] = checkpoint.FindQuantized(name, outputs, inputs) is { } quantized
                ? new MatrixPart(outputs, null, quantized.ReadRow)
                : new MatrixPart(outputs, checkpoint.GetTensor(name, outputs, inputs).ReadRow);
        }

        return PackedMatrix.Pack(inputs, dtype, group, threads, sources);
    }

    private unsafe void CopyVector(NativeBuffer buffer, int offset, string name, int count) =>
        checkpoint.GetTensor(name, count).CopyTo(new Span<float>(buffer.Floats + offset, count));
}
