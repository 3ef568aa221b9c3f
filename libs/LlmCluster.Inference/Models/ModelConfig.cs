namespace LlmCluster.Inference.Models;

/// <summary>The decoder families that the engine can run.</summary>
public enum ModelArchitecture
{
    /// <summary><c>LlamaForCausalLM</c>.</summary>
    Llama,

    /// <summary><c>MistralForCausalLM</c>.</summary>
    Mistral,

    /// <summary><c>Qwen2ForCausalLM</c>: Llama with biases on the query, key and value projections.</summary>
    Qwen2,

    /// <summary><c>Qwen3ForCausalLM</c>: Llama with an RMS norm on each query and key head.</summary>
    Qwen3,
}

/// <summary>The <c>llama3</c> frequency scaling of rotary embeddings (Llama 3.1 and later).</summary>
/// <param name="Factor">How much longer the context is than the original one.</param>
/// <param name="LowFrequencyFactor">Wavelengths beyond original context / this are scaled fully.</param>
/// <param name="HighFrequencyFactor">Wavelengths below original context / this are left alone.</param>
/// <param name="OriginalMaxPositions">Context length, in tokens, that the model was first trained for.</param>
public sealed record Llama3RopeScaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalMaxPositions);

/// <summary>Everything about a model that the engine needs to run it, read from <c>config.json</c>.</summary>
public sealed record ModelConfig
{
    /// <summary>The decoder family.</summary>
    public required ModelArchitecture Architecture { get; init; }

    /// <summary>Rows of the embedding table and of the output head.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the feed-forward network's inner layer.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of decoder layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; divides <see cref="Heads"/>.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Width of one head; even.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Longest sequence in tokens, prompt and answer together.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Epsilon of every RMS norm.</summary>
    public required float RmsNormEps { get; init; }

    /// <summary>Base of the rotary embedding's frequencies.</summary>
    public required double RopeTheta { get; init; }

    /// <summary>Scaling of the rotary frequencies, or none.</summary>
    public Llama3RopeScaling? RopeScaling { get; init; }

    /// <summary>Whether the output head is the embedding table.</summary>
    public required bool TieWordEmbeddings { get; init; }

    /// <summary>Whether the query, key and value projections have biases (Qwen 2).</summary>
    public bool QkvBias { get; init; }

    /// <summary>Whether each query and key head is RMS-normed before the rotary embedding (Qwen 3).</summary>
    public bool QkNorm { get; init; }

    /// <summary>How many tokens back attention looks, the current one counted; none: all of them (Mistral 0.1 has 4096).</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>How matrices are stored as integers; none: as numbers in F32, F16 or BF16.</summary>
    public WeightQuantization? Quantization { get; init; }
}
