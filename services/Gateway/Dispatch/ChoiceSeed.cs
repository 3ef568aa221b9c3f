namespace LlmCluster.Gateway.Dispatch;

/// <summary>Seeds of choices: each choice has its own, derived from the request's.</summary>
internal static class ChoiceSeed
{
    /// <summary>
    /// The seed of a choice. The first choice has the request's seed itself, and the same prompt gets the same answers
    /// whatever other prompts the request has.
    /// </summary>
    /// <param name="seed">The request's seed.</param>
    /// <param name="choice">Index of the choice within its prompt.</param>
    public static ulong Derive(long seed, int choice) => choice == 0 ? (ulong)seed : Mix((ulong)seed + ((ulong)choice * 0x9E3779B97F4A7C15));

    // The finalizer of SplitMix64 (Steele, Lea, Flood 2014): neighbouring inputs give unrelated outputs.
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
