using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>A word alone on its cache lines, for what several threads read and write.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct PaddedLong
{
    [FieldOffset(128)]
    public long Value;
}
