using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class RotaryTableTests
{
    [Fact]
    public void Angles_are_position_times_frequency_on_every_page()
    {
        ModelConfig config = TestModel.Odd() with { HeadDim = 8, MaxPositions = 2500 };
        using var table = new RotaryTable(config);
        table.Prepare(2499);
        foreach (int position in (int[])[0, 1, 1023, 1024, 2499])
        {
            float* row = table.At(position);
            for (int i = 0; i < 4; i++)
            {
                double angle = position * Math.Pow(10_000, -2.0 * i / 8);
                Assert.Equal((float)Math.Cos(angle), row[i]);
                Assert.Equal((float)Math.Sin(angle), row[4 + i]);
            }
        }
    }

    [Fact]
    public void Llama3_scaling_keeps_short_waves_and_stretches_long_ones()
    {
        ModelConfig config = TestModel.Odd() with { HeadDim = 64, RopeTheta = 500_000 };
        double[] plain = RotaryTable.Frequencies(config);
        double[] scaled = RotaryTable.Frequencies(config with { RopeScaling = new Llama3RopeScaling(32, 1, 4, 8192) });
        for (int i = 0; i < plain.Length; i++)
        {
            double wavelength = 2 * Math.PI / plain[i];
            if (wavelength < 8192 / 4.0)
            {
                Assert.Equal(plain[i], scaled[i]);
            }
            else if (wavelength > 8192)
            {
                Assert.Equal(plain[i] / 32, scaled[i]);
            }
            else
            {
                Assert.InRange(scaled[i], plain[i] / 32, plain[i]);
            }
        }
    }
}
