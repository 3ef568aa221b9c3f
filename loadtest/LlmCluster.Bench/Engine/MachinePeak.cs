namespace LlmCluster.Bench.Engine;

/// <summary>What the machine could do around one run, and what of it was used.</summary>
/// <param name="MultiplyAdds">10⁹ operations per second on registers alone.</param>
/// <param name="Products">10⁹ operations per second in the products of prefill.</param>
/// <param name="Bandwidth">10⁹ bytes per second read from memory in order.</param>
/// <param name="DecodeBytes">10⁹ bytes of weights per second that decode reads.</param>
public sealed record MachinePeak(double MultiplyAdds, double Products, double Bandwidth, double DecodeBytes);
