using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Sending;

namespace LlmCluster.Bench.Kv;

/// <summary>What <see cref="KvBenchmark"/> measures.</summary>
public sealed record KvBenchmarkOptions
{
    /// <summary>Shape of both pools; by default that of the <c>88m</c> model with a BF16 cache.</summary>
    public KvLayout Layout { get; init; } = new(Layers: 12, KvHeads: 4, HeadDim: 64, KvDtype.BF16);

    /// <summary>Tokens of each prompt.</summary>
    public int PromptTokens { get; init; } = 2000;

    /// <summary>Tokens of a chunk of prefill: a layer of a chunk becomes ready at once.</summary>
    public int ChunkTokens { get; init; } = 512;

    /// <summary>Largest payload of a frame in bytes.</summary>
    public int FrameBytes { get; init; } = new KvSenderOptions().MaxFrameBytes;

    /// <summary>Prompts of one round.</summary>
    public int Prompts { get; init; } = 8;

    /// <summary>Prompts that are transferred at the same time.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Measured rounds, after one to warm up.</summary>
    public int Rounds { get; init; } = 9;

    /// <summary>K/V bytes of a prompt.</summary>
    public long PromptBytes => Layout.BlocksFor(PromptTokens) * Layout.BlockBytes;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        Require(PromptTokens is >= 1 and <= 1 << 20, nameof(PromptTokens), PromptTokens, "1 to 1048576");
        Require(ChunkTokens >= Layout.BlockSize && ChunkTokens % Layout.BlockSize == 0, nameof(ChunkTokens), ChunkTokens, $"a multiple of {Layout.BlockSize}");
        Require(FrameBytes is >= 4096 and <= 1 << 24, nameof(FrameBytes), FrameBytes, "4096 to 16777216");
        Require(Prompts is >= 1 and <= 10_000, nameof(Prompts), Prompts, "1 to 10000");
        Require(Parallel >= 1 && Parallel <= Prompts, nameof(Parallel), Parallel, "at least 1 and no more than there are prompts");
        Require(Rounds is >= 1 and <= 1000, nameof(Rounds), Rounds, "1 to 1000");
    }

    private static void Require(bool holds, string name, int value, string expected)
    {
        if (!holds)
        {
            throw new ArgumentException($"{name} is {value}; expected {expected}.");
        }
    }
}
