using LlmCluster.Inference.Cpu;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>The instruction sets that this processor runs; the portable one always does.</summary>
internal static class Isas
{
    public static IEnumerable<CpuIsa> Available => Enum.GetValues<CpuIsa>().Where(CpuIsaSupport.IsSupported);
}
