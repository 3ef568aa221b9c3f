using System.Buffers.Binary;
using LlmCluster.Inference.KvCache.Checksums;

namespace LlmCluster.KvTransfer.Checksums;

/// <summary>
/// Checksum of a run of K/V blocks: CRC-32C over the payload, followed by layer, first block and block count as
/// little-endian int32. Senders and receivers compute the payload's part while they copy it
/// (<see cref="Inference.KvCache.IKvBlockStore"/>). Numbers are covered so that a payload can't pass for another place's.
/// </summary>
public static class KvChecksum
{
    /// <summary>State before the first byte of the payload.</summary>
    public const uint Initial = Crc32C.Initial;

    /// <summary>State after a piece of the payload.</summary>
    public static uint Append(uint state, ReadOnlySpan<byte> payload) => Crc32C.Append(state, payload);

    /// <summary>The checksum, given the state after the whole payload.</summary>
    public static uint Finish(uint state, int layer, int firstBlock, int blockCount)
    {
        Span<byte> place = stackalloc byte[3 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(place, layer);
        BinaryPrimitives.WriteInt32LittleEndian(place[sizeof(int)..], firstBlock);
        BinaryPrimitives.WriteInt32LittleEndian(place[(2 * sizeof(int))..], blockCount);
        return Crc32C.Finish(Crc32C.Append(state, place));
    }

    /// <summary>The checksum of a payload in one piece.</summary>
    public static uint Compute(ReadOnlySpan<byte> payload, int layer, int firstBlock, int blockCount) =>
        Finish(Append(Initial, payload), layer, firstBlock, blockCount);
}
