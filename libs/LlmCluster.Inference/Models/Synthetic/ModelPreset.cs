namespace LlmCluster.Inference.Models.Synthetic;

/// <summary>Shapes of random checkpoints.</summary>
public enum ModelPreset
{
    /// <summary>Vocabulary 512, hidden 64, 2 layers: a few hundred kilobytes, for tests.</summary>
    Tiny,

    /// <summary>Vocabulary 8192, hidden 768, 12 layers: 88 million parameters, for benchmarks of the engine.</summary>
    Small88M,

    /// <summary>The shape of Llama 3.2 1B.</summary>
    Large1B,
}

/// <summary>Shapes that belong to presets.</summary>
public static class ModelPresets
{
    /// <summary>The names of presets on the command line, with their values.</summary>
    public static IReadOnlyDictionary<string, ModelPreset> ByName { get; } = new Dictionary<string, ModelPreset>(StringComparer.Ordinal)
    {
        ["tiny"] = ModelPreset.Tiny,
        ["88m"] = ModelPreset.Small88M,
        ["1b"] = ModelPreset.Large1B,
    };

    /// <summary>The configuration of a preset in an architecture. Only Llama has rope scaling, and only in the largest preset.</summary>
    public static ModelConfig Config(this ModelPreset preset, ModelArchitecture architecture)
    {
        ModelConfig config = preset switch
        {
            ModelPreset.Tiny => new ModelConfig
            {
                Architecture = architecture,
                VocabSize = 512,
                HiddenSize = 64,
                IntermediateSize = 160,
                Layers = 2,
                Heads = 4,
                KvHeads = 2,
                HeadDim = 16,
                MaxPositions = 4096,
                RmsNormEps = 1e-5f,
                RopeTheta = 10_000,
                TieWordEmbeddings = false,
            },
            ModelPreset.Small88M => new ModelConfig
            {
                Architecture = architecture,
                VocabSize = 8192,
                HiddenSize = 768,
                IntermediateSize = 2048,
                Layers = 12,
                Heads = 12,
                KvHeads = 4,
                HeadDim = 64,
                MaxPositions = 4096,
                RmsNormEps = 1e-5f,
                RopeTheta = 10_000,
                TieWordEmbeddings = false,
            },
            ModelPreset.Large1B => new ModelConfig
            {
                Architecture = architecture,
                VocabSize = 128_256,
                HiddenSize = 2048,
                IntermediateSize = 8192,
                Layers = 16,
                Heads = 32,
                KvHeads = 8,
                HeadDim = 64,
                MaxPositions = 131_072,
                RmsNormEps = 1e-5f,
                RopeTheta = 500_000,
                RopeScaling = architecture == ModelArchitecture.Llama ? new Llama3RopeScaling(32, 1, 4, 8192) : null,
                TieWordEmbeddings = true,
            },
            _ => throw new ArgumentOutOfRangeException(nameof(preset), preset, null),
        };
        return config with
        {
            QkvBias = architecture == ModelArchitecture.Qwen2,
            QkNorm = architecture == ModelArchitecture.Qwen3,
        };
    }
}
