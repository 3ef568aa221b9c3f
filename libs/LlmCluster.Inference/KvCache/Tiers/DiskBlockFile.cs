using System.Buffers.Binary;
using LlmCluster.Inference.KvCache.Checksums;
using Microsoft.Win32.SafeHandles;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>
/// One block in a file: a header of 64 bytes, then the content. Header, little-endian: <c>magic[8] version[4] payload-crc[4] payload-length[8]
/// identity[16] hash[16] reserved[4] header-crc[4]</c>, checksums being CRC-32C. It is written under another name and then renamed, so a file that
/// is there is whole unless the machine failed; the checksums find that.
/// </summary>
internal static class DiskBlockFile
{
    /// <summary>Bytes before the content.</summary>
    public const int HeaderBytes = 64;

    /// <summary>Ends the names of blocks.</summary>
    public const string Extension = ".kv";

    /// <summary>Ends the names of files that are being written.</summary>
    public const string TemporaryExtension = ".tmp";

    private const uint Version = 1;
    private const int HeaderCrcAt = HeaderBytes - sizeof(uint);

    private static ReadOnlySpan<byte> Magic => "LLMCKVB\n"u8;

    /// <summary>Name of the file of a hash.</summary>
    public static string NameOf(BlockHash hash) => hash + Extension;

    /// <summary>The hash that a name stands for.</summary>
    public static bool TryParseName(ReadOnlySpan<char> name, out BlockHash hash)
    {
        Span<byte> bytes = stackalloc byte[BlockHash.Size];
        if (name.Length == (2 * BlockHash.Size) + Extension.Length
            && name.EndsWith(Extension, StringComparison.Ordinal)
            && Convert.FromHexString(name[..(2 * BlockHash.Size)], bytes, out _, out int written) == System.Buffers.OperationStatus.Done
            && written == BlockHash.Size)
        {
            hash = BlockHash.Read(bytes);
            return name.SequenceEqual(NameOf(hash));
        }

        hash = default;
        return false;
    }

    /// <summary>Writes a block.</summary>
    /// <exception cref="IOException">It could not be written; nothing is there.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static void Write(string path, BlockHash identity, BlockHash hash, ReadOnlySpan<byte> content)
    {
        string temporary = System.IO.Path.ChangeExtension(path, TemporaryExtension);
        try
        {
            Span<byte> header = stackalloc byte[HeaderBytes];
            FillHeader(header, identity, hash, content);
            using (SafeFileHandle file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                RandomAccess.Write(file, header, 0);
                RandomAccess.Write(file, content, HeaderBytes);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
    }

    /// <summary>Reads a block.</summary>
    /// <returns>False when the file is no whole block of that identity and hash.</returns>
    /// <exception cref="IOException">It could not be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static bool TryRead(string path, BlockHash identity, BlockHash hash, Span<byte> content)
    {
        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (RandomAccess.GetLength(file) != HeaderBytes + content.Length)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[HeaderBytes];
        if (!TryFill(file, header, 0) || !TryFill(file, content, HeaderBytes))
        {
            return false;
        }

        Span<byte> expected = stackalloc byte[HeaderBytes];
        FillHeader(expected, identity, hash, content);
        return header.SequenceEqual(expected);
    }

    /// <summary>Deletes a file if that is possible.</summary>
    public static bool TryDelete(string path)
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Sets when a file was used last, if that is possible.</summary>
    public static void TrySetTime(string path, DateTime time)
    {
        try
        {
            File.SetLastWriteTimeUtc(path, time);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Only the order suffers.
        }
    }

    private static void FillHeader(Span<byte> header, BlockHash identity, BlockHash hash, ReadOnlySpan<byte> content)
    {
        header.Clear();
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], Checksum(content));
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], content.Length);
        identity.Write(header[24..]);
        hash.Write(header[40..]);
        BinaryPrimitives.WriteUInt32LittleEndian(header[HeaderCrcAt..], Checksum(header[..HeaderCrcAt]));
    }

    private static uint Checksum(ReadOnlySpan<byte> data) => Crc32C.Finish(Crc32C.Append(Crc32C.Initial, data));

    private static bool TryFill(SafeFileHandle file, Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            int read = RandomAccess.Read(file, target, offset);
            if (read == 0)
            {
                return false;
            }

            target = target[read..];
            offset += read;
        }

        return true;
    }
}
