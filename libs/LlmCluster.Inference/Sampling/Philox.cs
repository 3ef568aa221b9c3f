namespace LlmCluster.Inference.Sampling;

/// <summary>
/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
/// Each draw is a pure function of key and counter, so a sequence that continues elsewhere draws what it would have
/// drawn here.
/// </summary>
internal static class Philox
{
    private const uint Multiplier0 = 0xD2511F53;
    private const uint Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9;
    private const uint Weyl1 = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>The block of four words for a counter and a key.</summary>
    public static (uint X0, uint X1, uint X2, uint X3) Block(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (int round = 0; round < Rounds; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = (
                (uint)(product1 >> 32) ^ c1 ^ k0,
                (uint)product1,
                (uint)(product0 >> 32) ^ c3 ^ k1,
                (uint)product0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>A number in [0, 1) with 53 random bits, for the token at a position of a sequence.</summary>
    public static double Uniform(ulong seed, long position)
    {
        (uint x0, uint x1, _, _) = Block((uint)position, (uint)(position >> 32), 0, 0, (uint)seed, (uint)(seed >> 32));
        ulong bits = ((ulong)(x0 >> 5) << 26) | (x1 >> 6);
        return bits * (1.0 / (1UL << 53));
    }
}
