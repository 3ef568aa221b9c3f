namespace LlmCluster.Bench;

/// <summary>Checks what benchmarks are asked for.</summary>
internal static class OptionCheck
{
    /// <exception cref="ArgumentException">The value is not what is expected.</exception>
    public static void Require(bool holds, string name, object value, string expected)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name} is {value}; expected {expected}.");
        }
    }
}
