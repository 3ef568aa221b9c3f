using LlmCluster.Inference.Sampling;
using Xunit;

namespace LlmCluster.Tests.Unit.Sampling;

public class PhiloxTests
{
    // The known answers that come with the reference implementation, for philox4x32 with ten rounds.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(
        0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu,
        0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(
        0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u,
        0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Blocks_equal_the_known_answers(
        uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint x0, uint x1, uint x2, uint x3)
    {
        Assert.Equal((x0, x1, x2, x3), Philox.Block(c0, c1, c2, c3, k0, k1));
    }

    [Fact]
    public void Uniform_numbers_come_from_the_first_two_words()
    {
        // Seed 0 and position 0 are the first known answer.
        double expected = (((ulong)(0x6627e8d5u >> 5) << 26) + (0xe169c58du >> 6)) / Math.Pow(2, 53);
        Assert.Equal(expected, Philox.Uniform(0, 0));
    }

    [Fact]
    public void Uniform_numbers_fill_the_unit_interval_evenly()
    {
        const int Count = 100_000;
        var bins = new int[20];
        for (int position = 0; position < Count; position++)
        {
            bins[(int)(Philox.Uniform(seed: 42, position) * bins.Length)]++;
        }

        // Chi-square with 19 degrees of freedom stays below 43.8 with probability 0.999.
        double expected = (double)Count / bins.Length;
        Assert.True(bins.Sum(b => (b - expected) * (b - expected) / expected) < 43.8);
    }

    [Fact]
    public void Seeds_and_positions_use_all_their_bits()
    {
        double[] draws =
        [
            Philox.Uniform(1, 0), Philox.Uniform(0, 1), Philox.Uniform(1UL << 32, 0), Philox.Uniform(0, 1L << 32),
            Philox.Uniform(1UL << 63, 0), Philox.Uniform(0, 0),
        ];
        Assert.Equal(draws.Length, draws.Distinct().Count());
    }
}
