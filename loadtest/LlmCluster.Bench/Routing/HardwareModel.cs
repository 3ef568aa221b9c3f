namespace LlmCluster.Bench.Routing;

/// <summary>What things take on a simulated worker. Times in seconds.</summary>
internal sealed class HardwareModel(RoutingBenchmarkOptions options)
{
    /// <summary>Prompt tokens that an id of a trace stands for.</summary>
    public const int BlockTokens = 512;

    /// <summary>The share of a transfer that can't overlap with compute: the last of so many layers.</summary>
    private const double Layers = 32;

    /// <summary>Seconds for a message to a worker and its answer.</summary>
    public const double RoundTrip = 0.001;

    /// <summary>Bytes of a block.</summary>
    public long BlockBytes { get; } = (long)options.TokenKiB * 1024 * BlockTokens;

    /// <summary>To compute prompt tokens after those that come before them: attention makes a token dearer the more there are.</summary>
    public double Prefill(int from, int count)
    {
        double attention = ((double)count * from) + ((double)count * count / 2);
        return (count + (attention / options.AttentionTokens)) / options.PrefillRate;
    }

    /// <summary>For a step in which so many sequences get a token.</summary>
    public double Decode(int sequences) => sequences == 0 ? 0 : (options.StepMs + (options.SequenceMs * sequences)) / 1000;

    /// <summary>How many prompt tokens are computed in a step with so many sequences that decode; at least 16.</summary>
    public int Chunk(int from, int left, int sequences)
    {
        int most = Math.Min(left, BlockTokens - (from % BlockTokens));
        if (sequences == 0)
        {
            return most;
        }

        double time = (options.MaxStepMs / 1000.0) - Decode(sequences);
        return Math.Clamp((int)(time / Prefill(from, 1)), Math.Min(16, most), most);
    }

    /// <summary>To send blocks.</summary>
    public double Transfer(int blocks) => blocks * (double)BlockBytes / (options.TransferMBs * 1e6);

    /// <summary>What is left of a transfer when all is computed, even if it never had to wait.</summary>
    public double LastLayer(int blocks) => Transfer(blocks) / Layers;
}
