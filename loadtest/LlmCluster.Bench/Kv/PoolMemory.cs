using System.Buffers;

namespace LlmCluster.Bench.Kv;

/// <summary>Native memory of a KV pool as <see cref="Memory{T}"/>; whoever uses it keeps the pool alive.</summary>
internal sealed unsafe class PoolMemory(byte* start, int length) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => new(start, length);

    public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
