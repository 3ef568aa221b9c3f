namespace LlmCluster.Bench.Routing;

/// <summary>Is told what happens to requests on simulated workers.</summary>
internal interface IWorkerEvents
{
    /// <summary>The computing worker has begun and asks the decode worker what it holds.</summary>
    void TransferOpens(SimulatedRequest request);

    /// <summary>The decode worker has all of the prompt's blocks.</summary>
    void PrefillEnded(SimulatedRequest request);

    /// <summary>The first token is there.</summary>
    void FirstToken(SimulatedRequest request);

    /// <summary>The last token is there.</summary>
    void Ended(SimulatedRequest request);
}
