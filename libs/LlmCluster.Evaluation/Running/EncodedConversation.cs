using LlmCluster.Evaluation.HeldOut;

namespace LlmCluster.Evaluation.Running;

/// <summary>A held-out conversation as the model gets it.</summary>
/// <param name="Conversation">The conversation.</param>
/// <param name="Prompt">Its token ids; at least one, and they leave room for an answer.</param>
internal sealed record EncodedConversation(HeldOutConversation Conversation, int[] Prompt);
