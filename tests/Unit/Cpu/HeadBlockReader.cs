using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.KvCache;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>Reads a token's key or value the plain way, element by element.</summary>
internal static unsafe class HeadBlockReader
{
    public static float[] Key(KvLayout layout, byte* head, int slot) => Read(layout, head, slot, i => (i * layout.BlockSize) + slot);

    public static float[] Value(KvLayout layout, byte* head, int slot) => Read(layout, head, slot, i => (slot * layout.HeadDim) + i);

    /// <summary>The scale of a token in a cache that has scales.</summary>
    public static float Scale(byte* head, int slot) => ((float*)head)[slot];

    private static float[] Read(KvLayout layout, byte* head, int slot, Func<int, int> index) =>
        [.. Enumerable.Range(0, layout.HeadDim).Select(index).Select(i => layout.Dtype switch
        {
            KvDtype.F32 => ((float*)head)[i],
            KvDtype.BF16 => Bfloat16.ToSingle(((ushort*)head)[i]),
            _ => ((sbyte*)head)[HeadBlock.IntegersAt(layout.BlockSize) + i] * Scale(head, slot),
        })];
}
