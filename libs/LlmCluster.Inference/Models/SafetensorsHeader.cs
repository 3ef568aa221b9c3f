using System.Buffers.Binary;
using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>A tensor as a header describes it; offsets count from the first byte after the header.</summary>
internal sealed record SafetensorsEntry(string Name, string Dtype, int[] Shape, long Begin, long End);

/// <summary>
/// The header of a safetensors file: eight bytes with the length of a JSON object, then that object, which maps each
/// tensor's name to its dtype, shape and byte range. The ranges must cover the rest of the file without gap or overlap.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The longest header that is read, in bytes; the format's own limit.</summary>
    private const long MaxLength = 100_000_000;

    private SafetensorsHeader(SafetensorsEntry[] entries, long dataOffset)
    {
        Entries = entries;
        DataOffset = dataOffset;
    }

    /// <summary>Tensors in the order of their bytes.</summary>
    public SafetensorsEntry[] Entries { get; }

    /// <summary>Position in the file of the first byte after the header.</summary>
    public long DataOffset { get; }

    /// <summary>Reads and checks the header of the file in <paramref name="stream"/>.</summary>
    /// <exception cref="CheckpointException">The file does not keep to the format.</exception>
    public static SafetensorsHeader Read(string path, Stream stream)
    {
        long fileLength = stream.Length;
        Span<byte> prefix = stackalloc byte[8];
        if (fileLength < prefix.Length)
        {
            throw new CheckpointException(path, $"is truncated: {fileLength} bytes, but a safetensors file begins with 8 bytes that hold the header's length.");
        }

        stream.ReadExactly(prefix);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxLength)
        {
            throw new CheckpointException(path, $"is no safetensors file: the header would have {length} bytes, at most {MaxLength} are allowed.");
        }

        if ((long)length > fileLength - prefix.Length)
        {
            throw new CheckpointException(path, $"is truncated: the header has {length} bytes, but only {fileLength - prefix.Length} follow its length.");
        }

        byte[] json = new byte[length];
        stream.ReadExactly(json);
        long dataOffset = prefix.Length + (long)length;
        SafetensorsEntry[] entries = Parse(path, json);
        CheckRanges(path, entries, fileLength - dataOffset);
        return new SafetensorsHeader(entries, dataOffset);
    }

    /// <summary>Bytes of one element, or 0 for a dtype that the format does not have.</summary>
    public static int ElementBytes(string dtype) => dtype switch
    {
        "BOOL" or "U8" or "I8" or "F8_E4M3" or "F8_E5M2" => 1,
        "U16" or "I16" or "F16" or "BF16" => 2,
        "U32" or "I32" or "F32" => 4,
        "U64" or "I64" or "F64" => 8,
        _ => 0,
    };

    private static SafetensorsEntry[] Parse(string path, byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new CheckpointException(path, "the header must be a JSON object.");
            }

            var names = new HashSet<string>(StringComparer.Ordinal);
            var entries = new List<SafetensorsEntry>();
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                if (!names.Add(property.Name))
                {
                    throw new CheckpointException(path, property.Name, "stands twice in the header; names must be unique.");
                }

                if (property.Name != "__metadata__")
                {
                    entries.Add(ParseEntry(path, property.Name, property.Value));
                }
            }

            return [.. entries];
        }
        catch (JsonException e)
        {
            throw new CheckpointException(path, $"the header is no valid JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // A string in the JSON that is no valid UTF-8 or UTF-16.
            throw new CheckpointException(path, $"the header holds a string that is no valid text: {e.Message}", e);
        }
    }

    private static SafetensorsEntry ParseEntry(string path, string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out JsonElement dtypeElement) || dtypeElement.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out JsonElement shapeElement) || shapeElement.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out JsonElement offsets) || offsets.ValueKind != JsonValueKind.Array
            || offsets.GetArrayLength() != 2)
        {
            throw new CheckpointException(path, name, "the header's entry must be an object with 'dtype' (string), 'shape' (array) and 'data_offsets' (array of two).");
        }

        string dtype = dtypeElement.GetString()!;
        int elementBytes = ElementBytes(dtype);
        if (elementBytes == 0)
        {
            throw new CheckpointException(path, name, $"has the unknown dtype '{dtype}'; weights must be F32, F16 or BF16.");
        }

        int[] shape = new int[shapeElement.GetArrayLength()];
        decimal bytes = elementBytes;
        for (int i = 0; i < shape.Length; i++)
        {
            if (!TryWhole(shapeElement[i], out long size) || size > int.MaxValue)
            {
                throw new CheckpointException(path, name, $"dimension {i} of the shape must be a whole number up to {int.MaxValue}, found {shapeElement[i].GetRawText()}.");
            }

            shape[i] = (int)size;
            bytes = bytes > long.MaxValue ? bytes : bytes * size;
        }

        if (!TryWhole(offsets[0], out long begin) || !TryWhole(offsets[1], out long end) || end < begin)
        {
            throw new CheckpointException(path, name, $"data_offsets must be [begin, end] with 0 <= begin <= end, found {offsets.GetRawText()}.");
        }

        return bytes == end - begin
            ? new SafetensorsEntry(name, dtype, shape, begin, end)
            : throw new CheckpointException(path, name, $"{dtype} {ModelTensors.Format(shape)} has {bytes} bytes, but data_offsets [{begin}, {end}] span {end - begin}.");
    }

    private static bool TryWhole(JsonElement element, out long value)
    {
        value = -1;
        return element.ValueKind == JsonValueKind.Number && element.TryGetInt64(out value) && value >= 0;
    }

    private static void CheckRanges(string path, SafetensorsEntry[] entries, long dataLength)
    {
        Array.Sort(entries, static (a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long position = 0;
        string previous = "";
        foreach (SafetensorsEntry entry in entries)
        {
            if (entry.Begin < position)
            {
                throw new CheckpointException(path, entry.Name, $"begins at data byte {entry.Begin} and overlaps '{previous}', which ends at {position}.");
            }

            if (entry.Begin > position)
            {
                throw new CheckpointException(path, entry.Name, $"begins at data byte {entry.Begin}, but the tensor before it ends at {position}; tensors must follow one another without a gap.");
            }

            if (entry.End > dataLength)
            {
                throw new CheckpointException(path, entry.Name, $"ends at data byte {entry.End}, but the file holds only {dataLength} bytes of data: it is truncated.");
            }

            position = entry.End;
            previous = entry.Name;
        }

        if (position != dataLength)
        {
            throw new CheckpointException(path, $"holds {dataLength} bytes of data, but its tensors end at byte {position}.");
        }
    }
}
