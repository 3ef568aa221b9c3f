using LlmCluster.Bench.Statistics;

namespace LlmCluster.Bench.Engine;

/// <summary>
/// Durations of the products of a layer, each measured many times, and rates of multiply-adds on registers alone, measured between each two of them. Whatever else runs on
/// the processor's cores slows either down, and not both alike, for milliseconds or minutes; so both are asked what the same share of their measurements reached.
/// </summary>
/// <param name="operations">Operations of each product, a multiply-add being two.</param>
internal sealed class ProductSamples(params double[] operations)
{
    private readonly List<double>[] _seconds = [.. operations.Select(static _ => new List<double>())];
    private readonly List<double> _multiplyAdds = [];

    /// <summary>Adds a measurement of a product.</summary>
    public void Add(int product, double seconds) => _seconds[product].Add(seconds);

    /// <summary>Adds a measurement of multiply-adds, in operations per second.</summary>
    public void AddMultiplyAdds(double rate) => _multiplyAdds.Add(rate);

    /// <summary>What a share of the measurements reached: of each product of a layer, and of the multiply-adds.</summary>
    /// <param name="share">0 asks for the best, 0.5 for the median.</param>
    /// <exception cref="InvalidOperationException">A product, or multiply-adds, were not measured.</exception>
    public ProductRates Reached(double share)
    {
        double seconds = _seconds.Sum(samples => Percentile.Of(samples, share));
        return new ProductRates(operations.Sum() / seconds / 1e9, Percentile.Of(_multiplyAdds, 1 - share) / 1e9);
    }
}
