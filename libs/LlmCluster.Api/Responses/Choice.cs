using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;

namespace LlmCluster.Api.Responses;

/// <summary>A whole choice of an answer that is not streamed.</summary>
/// <param name="Index">Index within the answer.</param>
/// <param name="Text">Its text.</param>
/// <param name="Tokens">Its tokens, a stop token included.</param>
/// <param name="FinishReason">Why it ended.</param>
public sealed record Choice(int Index, string Text, IReadOnlyList<OutputToken> Tokens, FinishReason FinishReason);
