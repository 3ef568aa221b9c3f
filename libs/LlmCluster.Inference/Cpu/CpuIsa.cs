using System.Runtime.Intrinsics.X86;

namespace LlmCluster.Inference.Cpu;

/// <summary>The instruction sets that the CPU kernels are written for. Bits are equal within one, not across them.</summary>
public enum CpuIsa
{
    /// <summary>AVX-512F and BW with 16 float lanes and fused multiply-add.</summary>
    Avx512,

    /// <summary>AVX2 and FMA3 with 8 float lanes.</summary>
    Avx2,

    /// <summary>128-bit vectors without fused multiply-add: the same bits on every processor.</summary>
    Portable,
}

/// <summary>What this processor offers.</summary>
public static class CpuIsaSupport
{
    /// <summary>The widest instruction set that this processor runs.</summary>
    public static CpuIsa Best =>
        IsSupported(CpuIsa.Avx512) ? CpuIsa.Avx512 : IsSupported(CpuIsa.Avx2) ? CpuIsa.Avx2 : CpuIsa.Portable;

    /// <summary>Whether this processor runs <paramref name="isa"/>.</summary>
    public static bool IsSupported(CpuIsa isa) => isa switch
    {
        CpuIsa.Avx512 => Avx512F.IsSupported && Avx512BW.IsSupported && IsSupported(CpuIsa.Avx2),
        CpuIsa.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        CpuIsa.Portable => BitConverter.IsLittleEndian,
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "Unknown instruction set."),
    };
}
