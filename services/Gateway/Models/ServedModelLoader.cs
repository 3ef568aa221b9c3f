using LlmCluster.Api.Prompts;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Gateway.Models;

/// <summary>Reads what the gateway needs from a model's folder.</summary>
internal static class ServedModelLoader
{
    public static ServedModel Load(GatewayOptions options)
    {
        string directory = Path.GetFullPath(options.ModelPath);
        CheckpointSettings settings = CheckpointSettings.Read(directory);
        Tokenizer tokenizer = Tokenizer.Load(directory);
        DateTimeOffset created = File.GetLastWriteTimeUtc(Path.Combine(directory, "config.json"));
        return new ServedModel(options.ServedModelName, created, tokenizer, ChatTemplateRenderer.Create(tokenizer.Config), settings);
    }
}
