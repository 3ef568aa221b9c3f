namespace LlmCluster.Bench.Engine;

/// <summary>What the products of prefill do, beside the most that the threads can.</summary>
/// <param name="Products">10⁹ operations per second in the products, a multiply-add being two.</param>
/// <param name="MultiplyAdds">10⁹ operations per second on registers alone.</param>
public sealed record ProductRates(double Products, double MultiplyAdds)
{
    /// <summary>Products beside the most that the threads can.</summary>
    public double Fraction => Products / MultiplyAdds;
}
