using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Inference.Models;

/// <summary>What a checkpoint's JSON files say; for processes that don't run the model and may lack its weights.</summary>
/// <param name="Config">The model's shape.</param>
/// <param name="Generation">What the checkpoint says about generation.</param>
public sealed record CheckpointSettings(ModelConfig Config, GenerationDefaults Generation)
{
    /// <summary>Reads <c>config.json</c> and <c>generation_config.json</c>.</summary>
    /// <exception cref="CheckpointException">A file is missing or wrong; the message names file and key.</exception>
    public static CheckpointSettings Read(string directory)
    {
        directory = Path.GetFullPath(directory);
        if (!Directory.Exists(directory))
        {
            throw new CheckpointException(directory, $"is no directory; expected one with {ModelConfigReader.FileName}.");
        }

        JsonSettings json = JsonSettings.Read(Path.Combine(directory, ModelConfigReader.FileName));
        ModelConfig config = ModelConfigReader.Read(json);
        return new CheckpointSettings(config, GenerationDefaults.Read(directory, json, config.VocabSize));
    }

    /// <summary>Tokens that end an answer: the checkpoint's, and the tokenizer's where the model has that token.</summary>
    public IReadOnlyList<int> EosTokenIds(ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.EosTokenId is { } eos && eos < Config.VocabSize
            ? [.. Generation.EosTokenIds.Union([eos])]
            : Generation.EosTokenIds;
    }
}
