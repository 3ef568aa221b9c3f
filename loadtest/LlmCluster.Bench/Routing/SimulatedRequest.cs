using LlmCluster.Bench.Traces;
using LlmCluster.Cluster.Reservations;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Bench.Routing;

/// <summary>A request on its way through the simulated cluster. Times in seconds.</summary>
/// <param name="request">What the trace says of it.</param>
/// <param name="arrival">When it arrives.</param>
/// <param name="turn">Its number, from 1.</param>
internal sealed class SimulatedRequest(TraceRequest request, double arrival, long turn)
{
    /// <summary>Ids of its prompt's blocks.</summary>
    public IReadOnlyList<long> Blocks { get; } = request.HashIds;

    public int PromptTokens { get; } = request.InputTokens;

    public int OutputTokens { get; } = request.OutputTokens;

    public double Arrival { get; } = arrival;

    public long Turn { get; } = turn;

    public RequestPlacement? Placement { get; set; }

    public IReadOnlyList<RoomClaim> Claims { get; set; } = [];

    /// <summary>Whether it was turned away.</summary>
    public bool Rejected { get; set; }

    /// <summary>Prompt tokens that were not computed for it.</summary>
    public int CachedTokens { get; set; }

    /// <summary>Those of them that were fetched from another worker.</summary>
    public int FetchedTokens { get; set; }

    /// <summary>Leading blocks of the prompt that it holds on the computing worker.</summary>
    public int HeldByCompute { get; set; }

    /// <summary>Leading blocks of the prompt that it holds on the decode worker, when that is another one.</summary>
    public int HeldByDecode { get; set; }

    /// <summary>Prompt tokens that need no more computing.</summary>
    public int Computed { get; set; }

    public double ComputeStart { get; set; }

    public double FirstToken { get; set; } = double.NaN;

    public double LastToken { get; set; } = double.NaN;

    /// <summary>Tokens that are generated.</summary>
    public int Generated { get; set; }

    /// <summary>Room for its output in blocks, on the decode worker.</summary>
    public int OutputBlocks { get; set; }

    /// <summary>Time to the first token.</summary>
    public double Ttft => FirstToken - Arrival;

    /// <summary>Time per output token after the first; NaN when there is none.</summary>
    public double Tpot => OutputTokens > 1 ? (LastToken - FirstToken) / (OutputTokens - 1) : double.NaN;

    /// <summary>Tokens of so many leading blocks of its prompt; the last one may not be full.</summary>
    public int TokensOf(int blocks) => (int)Math.Min((long)blocks * HardwareModel.BlockTokens, PromptTokens);
}
