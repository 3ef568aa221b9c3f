using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Models;

/// <summary>A matrix in a memory-mapped checkpoint that is stored as integers and scales; see <see cref="WeightQuantization"/>.</summary>
internal sealed unsafe class QuantizedMatrix(WeightQuantization quantization, int inputs, TensorView integers, TensorView scales)
{
    /// <summary>Reads one row: the weights of one output.</summary>
    /// <param name="row">Index of the output.</param>
    /// <param name="destination">Receives an integer for each input.</param>
    /// <param name="rowScales">Receives a scale for each group of inputs.</param>
    /// <exception cref="CheckpointException">An integer is out of range.</exception>
    public void ReadRow(int row, Span<sbyte> destination, Span<float> rowScales)
    {
        scales.ReadRow(row, rowScales);
        var bytes = new ReadOnlySpan<byte>(integers.Pointer + ((long)row * integers.RowLength), integers.RowLength);
        if (quantization.Bits == 4)
        {
            NibblePairs.Unpack(bytes, destination[..inputs]);
            return;
        }

        ReadOnlySpan<sbyte> numbers = MemoryMarshal.Cast<byte, sbyte>(bytes);
        if (numbers.Contains(sbyte.MinValue))
        {
            throw new CheckpointException(integers.File, integers.Name, $"row {row} holds {sbyte.MinValue}; integers lie between {-sbyte.MaxValue} and {sbyte.MaxValue}.");
        }

        numbers.CopyTo(destination);
    }
}
