namespace LlmCluster.Bench.Engine;

/// <summary>What the machine could do around one run, and what of it was used.</summary>
/// <param name="Undisturbed">Products of prefill: what the fastest tenth of the measurements reached.</param>
/// <param name="Usual">Products of prefill: what half of the measurements reached.</param>
/// <param name="Bandwidth">10⁹ bytes per second read from memory in order.</param>
/// <param name="DecodeBytes">10⁹ bytes of weights per second that decode reads.</param>
public sealed record MachinePeak(ProductRates Undisturbed, ProductRates Usual, double Bandwidth, double DecodeBytes);
