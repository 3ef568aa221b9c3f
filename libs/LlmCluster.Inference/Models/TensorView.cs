using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Models;

/// <summary>
/// A tensor in a memory-mapped checkpoint: row-major, little-endian, read-only. Valid until its
/// <see cref="Checkpoint"/> is disposed; members throw <see cref="ObjectDisposedException"/> afterwards, but spans and
/// pointers that were taken before then dangle.
/// </summary>
public sealed unsafe class TensorView
{
    private readonly SafetensorsFile _file;
    private readonly long _offset;
    private readonly int[] _shape;

    internal TensorView(SafetensorsFile file, string name, TensorDtype dtype, int[] shape, long offset)
    {
        _file = file;
        _offset = offset;
        _shape = shape;
        Name = name;
        Dtype = dtype;
        long count = 1;
        foreach (int size in shape)
        {
            count *= size;
        }

        ElementCount = count;
        Rows = shape.Length == 0 ? 1 : shape[0];
        RowLength = Rows == 0 ? 0 : checked((int)(count / Rows));
    }

    /// <summary>Name in the checkpoint, for example <c>model.norm.weight</c>.</summary>
    public string Name { get; }

    /// <summary>Path of the file that holds it.</summary>
    public string File => _file.Path;

    /// <summary>Number format of the elements.</summary>
    public TensorDtype Dtype { get; }

    /// <summary>Size of each dimension, outermost first. Empty for a scalar.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>Number of elements.</summary>
    public long ElementCount { get; }

    /// <summary>Number of bytes.</summary>
    public long ByteLength => ElementCount * Dtype.ElementBytes();

    /// <summary>Size of the outermost dimension.</summary>
    public int Rows { get; }

    /// <summary>Elements of one row: the product of all dimensions but the outermost.</summary>
    public int RowLength { get; }

    /// <summary>The first element. Need not be aligned to the element's size.</summary>
    public byte* Pointer => _file.Data + _offset;

    /// <summary>All bytes.</summary>
    /// <exception cref="InvalidOperationException">The tensor has 2 GiB or more; read it by rows.</exception>
    public ReadOnlySpan<byte> Bytes => ByteLength <= int.MaxValue
        ? new ReadOnlySpan<byte>(Pointer, (int)ByteLength)
        : throw new InvalidOperationException($"Tensor '{Name}' has {ByteLength} bytes, more than a span holds; read it by rows.");

    /// <summary>The bits of all elements, of a 16-bit format.</summary>
    /// <exception cref="InvalidOperationException">The elements have another width, or there are 2 GiB or more of them.</exception>
    public ReadOnlySpan<ushort> Bits16 => Dtype.ElementBytes() == sizeof(ushort)
        ? MemoryMarshal.Cast<byte, ushort>(Bytes)
        : throw new InvalidOperationException($"Tensor '{Name}' is {Dtype}, not a 16-bit format.");

    /// <summary>Converts all elements to singles.</summary>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    public void CopyTo(Span<float> destination) => ReadRows(0, Rows, destination);

    /// <summary>Converts one row to singles.</summary>
    /// <param name="row">Index in the outermost dimension.</param>
    /// <param name="destination">Receives <see cref="RowLength"/> elements.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    public void ReadRow(int row, Span<float> destination) => ReadRows(row, 1, destination);

    /// <summary>Converts consecutive rows to singles.</summary>
    /// <param name="firstRow">Index of the first in the outermost dimension.</param>
    /// <param name="count">How many.</param>
    /// <param name="destination">Receives <c>count × RowLength</c> elements.</param>
    /// <exception cref="ArgumentException"><paramref name="destination"/> is too short.</exception>
    public void ReadRows(int firstRow, int count, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstRow + count, Rows, nameof(count));
        long elements = (long)count * RowLength;
        if (destination.Length < elements)
        {
            throw new ArgumentException($"Room for {destination.Length} elements, but {elements} of tensor '{Name}' were asked for.", nameof(destination));
        }

        // By pieces, because the bytes may be more than one span holds.
        const int PieceElements = 1 << 20;
        byte* source = Pointer + ((long)firstRow * RowLength * Dtype.ElementBytes());
        for (long done = 0; done < elements; done += PieceElements)
        {
            int piece = (int)Math.Min(PieceElements, elements - done);
            var bytes = new ReadOnlySpan<byte>(source + (done * Dtype.ElementBytes()), piece * Dtype.ElementBytes());
            TensorConversion.ToSingle(bytes, Dtype, destination.Slice((int)done, piece));
        }
    }
}
