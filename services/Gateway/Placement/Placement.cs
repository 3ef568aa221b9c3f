using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Placement;

/// <summary>What a placement policy knows of a request.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="PromptTokens">Tokens of all prompts.</param>
/// <param name="Sequences">Prompts times choices.</param>
/// <param name="Turn">Number of the request among those that all gateways placed, from 1.</param>
public sealed record PlacementRequest(string Model, int PromptTokens, int Sequences, long Turn);

/// <summary>Where a request runs.</summary>
/// <param name="Prefill">Computes the prompts; null when <paramref name="Decode"/> does so itself.</param>
/// <param name="Decode">Generates and answers.</param>
/// <param name="Reason">Why, for operators.</param>
public sealed record RequestPlacement(WorkerSnapshot? Prefill, WorkerSnapshot Decode, string Reason);

/// <summary>A placement, or the reason why there is none.</summary>
/// <param name="Placement">The placement, or null.</param>
/// <param name="Reason">Why it is this one, or why there is none.</param>
public readonly record struct PlacementResult(RequestPlacement? Placement, string Reason);
