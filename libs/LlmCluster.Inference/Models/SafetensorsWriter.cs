using System.Buffers.Binary;
using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>A tensor that <see cref="SafetensorsWriter"/> is to write.</summary>
/// <param name="Name">Unique name.</param>
/// <param name="Dtype">Number format.</param>
/// <param name="Shape">Size of each dimension, outermost first.</param>
public sealed record SafetensorsTensor(string Name, TensorDtype Dtype, params int[] Shape)
{
    /// <summary>Number of elements.</summary>
    public long ElementCount => Shape.Aggregate(1L, static (product, size) => checked(product * size));

    /// <summary>Number of bytes.</summary>
    public long ByteLength => ElementCount * Dtype.ElementBytes();
}

/// <summary>
/// Writes a safetensors file as a stream: the header first, then the tensors' bytes in order. The file appears under
/// its name only with <see cref="Complete"/>; disposing before that leaves nothing behind.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    /// <summary>The data begins at a multiple of this, so that mapped tensors suit vector loads.</summary>
    private const int DataAlignment = 64;

    private readonly string _path;
    private readonly string _partialPath;
    private readonly FileStream _stream;
    private long _remaining;
    private bool _completed;

    /// <summary>Begins a file.</summary>
    /// <param name="path">Path of the file; replaced if it is there.</param>
    /// <param name="tensors">What it will hold, in this order.</param>
    /// <exception cref="ArgumentException">A name is empty, reserved or stands twice.</exception>
    public SafetensorsWriter(string path, IReadOnlyList<SafetensorsTensor> tensors)
    {
        byte[] header = Header(tensors, out _remaining);
        _path = path;
        _partialPath = path + ".partial";
        _stream = new FileStream(_partialPath, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
        _stream.Write(header);
    }

    /// <summary>Appends bytes, little-endian; pieces need not end with a tensor.</summary>
    /// <exception cref="InvalidOperationException">There are more bytes than the tensors have.</exception>
    public void Write(ReadOnlySpan<byte> data)
    {
        if (data.Length > _remaining)
        {
            throw new InvalidOperationException($"{data.Length} bytes to write, but the tensors of {_path} have only {_remaining} left.");
        }

        _stream.Write(data);
        _remaining -= data.Length;
    }

    /// <summary>Ends the file and gives it its name.</summary>
    /// <exception cref="InvalidOperationException">Bytes are missing.</exception>
    public void Complete()
    {
        if (_remaining != 0)
        {
            throw new InvalidOperationException($"The tensors of {_path} lack {_remaining} bytes.");
        }

        _stream.Dispose();
        File.Move(_partialPath, _path, overwrite: true);
        _completed = true;
    }

    /// <summary>Closes the file, and removes it unless it is complete.</summary>
    public void Dispose()
    {
        _stream.Dispose();
        if (!_completed)
        {
            File.Delete(_partialPath);
        }
    }

    private static byte[] Header(IReadOnlyList<SafetensorsTensor> tensors, out long dataBytes)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            json.WriteEndObject();
            dataBytes = 0;
            foreach (SafetensorsTensor tensor in tensors)
            {
                if (tensor.Name.Length == 0 || !names.Add(tensor.Name))
                {
                    throw new ArgumentException($"The tensor name '{tensor.Name}' is empty, reserved or stands twice.", nameof(tensors));
                }

                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Dtype.ToString());
                json.WriteStartArray("shape");
                foreach (int size in tensor.Shape)
                {
                    json.WriteNumberValue(size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(dataBytes);
                dataBytes += tensor.ByteLength;
                json.WriteNumberValue(dataBytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // The format allows the JSON to be padded with spaces.
        int padded = (sizeof(ulong) + (int)buffer.Length + DataAlignment - 1) / DataAlignment * DataAlignment;
        byte[] header = new byte[padded];
        header.AsSpan().Fill((byte)' ');
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(padded - sizeof(ulong)));
        buffer.GetBuffer().AsSpan(0, (int)buffer.Length).CopyTo(header.AsSpan(sizeof(ulong)));
        return header;
    }
}
