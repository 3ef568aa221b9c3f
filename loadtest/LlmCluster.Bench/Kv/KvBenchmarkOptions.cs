using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports.Grpc;

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

    /// <summary>HTTP/2 window of the server, for a stream and for the connection, in bytes; the same for gRPC and bare HTTP/2.</summary>
    public int WindowBytes { get; init; } = GrpcKvTransport.WindowBytes;

    /// <summary>Prompts of one round.</summary>
    public int Prompts { get; init; } = 8;

    /// <summary>Prompts that are transferred at the same time.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Measured rounds.</summary>
    public int Rounds { get; init; } = 45;

    /// <summary>Unmeasured rounds go before for at least so long, and until next to nothing is compiled any more.</summary>
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>K/V bytes of a prompt.</summary>
    public long PromptBytes => Layout.BlocksFor(PromptTokens) * Layout.BlockBytes;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of range.</exception>
    public void Validate()
    {
        OptionCheck.Require(PromptTokens is >= 1 and <= 1 << 20, nameof(PromptTokens), PromptTokens, "1 to 1048576");
        OptionCheck.Require(ChunkTokens >= Layout.BlockSize && ChunkTokens % Layout.BlockSize == 0, nameof(ChunkTokens), ChunkTokens, $"a multiple of {Layout.BlockSize}");
        OptionCheck.Require(FrameBytes is >= 4096 and <= 1 << 24, nameof(FrameBytes), FrameBytes, "4096 to 16777216");
        OptionCheck.Require(WindowBytes is >= 65535, nameof(WindowBytes), WindowBytes, "65535 at least");
        OptionCheck.Require(Prompts is >= 1 and <= 10_000, nameof(Prompts), Prompts, "1 to 10000");
        OptionCheck.Require(Parallel >= 1 && Parallel <= Prompts, nameof(Parallel), Parallel, "at least 1 and no more than there are prompts");
        OptionCheck.Require(Rounds is >= 1 and <= 1000, nameof(Rounds), Rounds, "1 to 1000");
    }
}
