using LlmCluster.Api.Prompts;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Gateway.Models;

/// <summary>What the gateway knows of the model that the cluster serves.</summary>
/// <param name="Name">Name that clients ask for.</param>
/// <param name="Created">When the checkpoint was made.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Prompts">Turns conversations into prompts; null when the model has no chat template.</param>
/// <param name="Settings">Shape, and recommendations for sampling.</param>
internal sealed record ServedModel(
    string Name, DateTimeOffset Created, ITokenizer Tokenizer, ChatTemplateRenderer? Prompts, CheckpointSettings Settings)
{
    /// <summary>Sampling where a request says nothing.</summary>
    public GenerationDefaults Defaults => Settings.Generation;

    /// <summary>Tokens that end an answer: the checkpoint's, and the tokenizer's.</summary>
    public IReadOnlyList<int> EosTokenIds { get; } = Settings.EosTokenIds(Tokenizer);
}
