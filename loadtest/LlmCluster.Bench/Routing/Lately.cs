namespace LlmCluster.Bench.Routing;

/// <summary>A ratio of two sums, of which what is old weighs less: how workers measure their rates.</summary>
internal sealed class Lately
{
    // Seconds after which a measurement weighs half.
    private const double HalfLife = 10;

    private double _above;
    private double _below;
    private double _at;

    /// <summary>The ratio; 0 before anything was added.</summary>
    public double Ratio => _below > 0 ? _above / _below : 0;

    /// <summary>Adds to both sums.</summary>
    public void Add(double now, double above, double below)
    {
        double fade = Math.Pow(2, (_at - now) / HalfLife);
        (_above, _below, _at) = ((_above * fade) + above, (_below * fade) + below, now);
    }
}
