using LlmCluster.Bench.Engine;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class ProductSamplesTests
{
    [Fact]
    public void A_share_asks_products_and_multiply_adds_alike()
    {
        var samples = new ProductSamples(30e9, 10e9);
        for (int i = 0; i <= 10; i++)
        {
            samples.Add(0, 0.3 + (0.1 * i));
            samples.Add(1, 0.1 + (0.1 * i));
            samples.AddMultiplyAdds(200e9 - (10e9 * i));
        }

        // The second best of eleven: 0.4 s and 0.2 s for 40·10⁹ operations.
        ProductRates best = samples.Reached(0.1);
        Assert.Equal(40 / 0.6, best.Products, 1e-6);
        Assert.Equal(190, best.MultiplyAdds, 1e-6);
        Assert.Equal(40 / 0.6 / 190, best.Fraction, 1e-9);

        ProductRates median = samples.Reached(0.5);
        Assert.Equal(40 / 1.4, median.Products, 1e-6);
        Assert.Equal(150, median.MultiplyAdds, 1e-6);
    }

    [Fact]
    public void What_was_not_measured_has_no_rate()
    {
        var samples = new ProductSamples(1, 1);
        samples.Add(0, 1);
        samples.AddMultiplyAdds(1);
        Assert.Throws<InvalidOperationException>(() => samples.Reached(0.5));
    }
}
