namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>
/// Arithmetic on one vector of floats. The kernels are written once against it; the just-in-time compiler makes
/// separate code for each implementation.
/// </summary>
/// <typeparam name="V">The vector.</typeparam>
internal unsafe interface ISimd<V>
    where V : struct
{
    /// <summary>Floats in a vector: 16, 8 or 4.</summary>
    static abstract int Lanes { get; }

    /// <summary>Rows of a full GEMM tile: as many as the registers hold.</summary>
    static abstract int TileRows { get; }

    /// <summary>Up to how many rows a GEMM runs over four pairs of vectors at once instead of one.</summary>
    static abstract int WideRows { get; }

    static abstract V Load(float* source);

    static abstract void Store(float* destination, V value);

    static abstract V Splat(float value);

    static abstract V SplatAt(float* source);

    /// <summary>
    /// <paramref name="splat"/>, read again from <paramref name="source"/>, where it came from, if a multiply-add can do that itself: then no instruction spreads it.
    /// </summary>
    static abstract V SplatAgain(V splat, float* source);

    /// <summary>Lower halves of 32-bit words, as bfloat16.</summary>
    static abstract V LowHalves(byte* words);

    /// <summary>Upper halves of 32-bit words, as bfloat16.</summary>
    static abstract V HighHalves(byte* words);

    /// <summary>Consecutive bfloat16 numbers.</summary>
    static abstract V Widen(ushort* source);

    /// <summary>Consecutive signed bytes.</summary>
    static abstract V SignedBytes(byte* source);

    /// <summary>Pairs of signed bytes as pairs of 16-bit integers, one pair a lane.</summary>
    static abstract V BytePairs(byte* source);

    /// <summary>Lower halves of pairs of bytes, 0 to 15, as pairs of 16-bit integers.</summary>
    static abstract V LowNibblePairs(byte* source);

    /// <summary>Upper halves of pairs of bytes, 0 to 15, as pairs of 16-bit integers.</summary>
    static abstract V HighNibblePairs(byte* source);

    /// <summary>a₀·b₀ + a₁·b₁ of pairs of 16-bit integers, plus c, as 32-bit integers.</summary>
    static abstract V AddPairProducts(V a, V b, V c);

    /// <summary>Integers in [-32768, 32767] as the lower and upper 16 bits of 32-bit words.</summary>
    static abstract V PackPairs(V low, V high);

    /// <summary>32-bit integers as singles.</summary>
    static abstract V IntegersToSingles(V integers);

    /// <summary>Brings a cache line near, if the processor has a way to ask for it.</summary>
    static abstract void Prefetch(byte* address);

    /// <summary>
    /// Brings a cache line into the second-level cache, if the processor has a way to ask for it: more can be on their way there at a time than to the first-level one.
    /// </summary>
    static abstract void PrefetchFar(byte* address);

    static abstract V Add(V a, V b);

    static abstract V Subtract(V a, V b);

    static abstract V Multiply(V a, V b);

    static abstract V Divide(V a, V b);

    /// <summary>a·b + c; fused where the instruction set has it.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    static abstract V Min(V a, V b);

    static abstract V Max(V a, V b);

    /// <summary>Rounds to the nearest integer; |value| below 2²².</summary>
    static abstract V Round(V value);

    /// <summary>value · 2^exponent for integers in [-126, 127].</summary>
    static abstract V ScaleByPowerOfTwo(V value, V exponent);

    /// <summary>Zero in the lanes where <paramref name="x"/> is below <paramref name="limit"/>, else the value.</summary>
    static abstract V ZeroBelow(V value, V x, V limit);

    /// <summary>The value in the lanes from <paramref name="low"/> to before <paramref name="high"/>, else the other.</summary>
    static abstract V Between(V value, int low, int high, V other);

    /// <summary>Sum of the lanes, as a fixed tree.</summary>
    static abstract float Sum(V value);

    /// <summary>Largest lane.</summary>
    static abstract float Largest(V value);
}
