using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// Cosines and sines of the rotary embedding, computed in double precision and rounded once. Pages of positions are made when
/// a sequence first reaches them: a context of 128k positions would take 64 MiB that most sequences never need.
/// </summary>
internal sealed unsafe class RotaryTable : IDisposable
{
    private const int PageShift = 10;
    private const int PagePositions = 1 << PageShift;

    private readonly double[] _frequencies;
    private readonly NativeBuffer?[] _pages;
    private readonly Lock _lock = new();
    private int _ready;

    public RotaryTable(ModelConfig config)
    {
        _frequencies = Frequencies(config);
        _pages = new NativeBuffer?[(config.MaxPositions + PagePositions - 1) / PagePositions];
    }

    /// <summary>Pairs of elements in a head.</summary>
    public int Half => _frequencies.Length;

    /// <summary>Makes sure that every position up to <paramref name="last"/> has its angles.</summary>
    public void Prepare(int last)
    {
        int page = last >> PageShift;
        if (page < Volatile.Read(ref _ready))
        {
            return;
        }

        lock (_lock)
        {
            for (int next = _ready; next <= page; next++)
            {
                _pages[next] = MakePage(next);
                Volatile.Write(ref _ready, next + 1);
            }
        }
    }

    /// <summary>Cosines of a prepared position, followed by its sines; <see cref="Half"/> of each.</summary>
    public float* At(int position) =>
        _pages[position >> PageShift]!.Floats + ((position & (PagePositions - 1)) * 2 * Half);

    public void Dispose()
    {
        foreach (NativeBuffer? page in _pages)
        {
            page?.Dispose();
        }
    }

    /// <summary>Radians a position for each pair.</summary>
    internal static double[] Frequencies(ModelConfig config)
    {
        var frequencies = new double[config.HeadDim / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadDim);
            frequencies[i] = config.RopeScaling is { } scaling ? Scale(frequency, scaling) : frequency;
        }

        return frequencies;
    }

    // Long wavelengths are stretched by the factor, short ones kept, those between go over linearly.
    private static double Scale(double frequency, Llama3RopeScaling scaling)
    {
        double wavelength = 2 * Math.PI / frequency;
        double turns = scaling.OriginalMaxPositions / wavelength;
        if (turns < scaling.LowFrequencyFactor)
        {
            return frequency / scaling.Factor;
        }

        if (turns > scaling.HighFrequencyFactor)
        {
            return frequency;
        }

        double kept = (turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - kept) * frequency / scaling.Factor) + (kept * frequency);
    }

    private NativeBuffer MakePage(int page)
    {
        NativeBuffer buffer = NativeBuffer.OfFloats((long)PagePositions * 2 * Half);
        float* values = buffer.Floats;
        for (int i = 0; i < PagePositions; i++)
        {
            double position = ((long)page << PageShift) + i;
            for (int j = 0; j < Half; j++)
            {
                (double sine, double cosine) = Math.SinCos(position * _frequencies[j]);
                values[j] = (float)cosine;
                values[Half + j] = (float)sine;
            }

            values += 2 * Half;
        }

        return buffer;
    }
}
