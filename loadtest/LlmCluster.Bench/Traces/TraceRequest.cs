namespace LlmCluster.Bench.Traces;

/// <summary>A request of a trace.</summary>
/// <param name="Timestamp">Milliseconds from the trace's start to the request's arrival.</param>
/// <param name="InputTokens">Tokens of the prompt; at least 1.</param>
/// <param name="OutputTokens">Tokens of the output; at least 1.</param>
/// <param name="HashIds">An id for each block of the prompt; equal ids mean equal prompts up to and with that block.</param>
public sealed record TraceRequest(long Timestamp, int InputTokens, int OutputTokens, IReadOnlyList<long> HashIds);
