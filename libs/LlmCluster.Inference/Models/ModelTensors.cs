using System.Globalization;

namespace LlmCluster.Inference.Models;

/// <summary>What a tensor is for; decides how a random one is drawn.</summary>
public enum TensorRole
{
    /// <summary>The embedding table, one row a token.</summary>
    Embedding,

    /// <summary>A matrix that reads the normed residual stream: query, key, value, gate, up.</summary>
    InputProjection,

    /// <summary>A matrix whose result is added to the residual stream: attention output, down.</summary>
    OutputProjection,

    /// <summary>A bias vector.</summary>
    Bias,

    /// <summary>The weights of an RMS norm.</summary>
    Norm,

    /// <summary>The output head, one row a token.</summary>
    Head,

    /// <summary>The integers of a quantised matrix.</summary>
    Integers,

    /// <summary>The scales of a quantised matrix.</summary>
    Scales,
}

/// <summary>A tensor that a checkpoint must have.</summary>
/// <param name="Name">Name in the checkpoint.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Shape">Size of each dimension; a matrix is <c>[outputs, inputs]</c>.</param>
public sealed record TensorSpec(string Name, TensorRole Role, params int[] Shape)
{
    /// <summary>The number format that it must have; none: F32, F16 or BF16.</summary>
    public TensorDtype? Dtype { get; init; }
}

/// <summary>
/// The names and shapes of a model's tensors in Hugging Face layout: the one list that the validator, the random
/// writer and the backends go by.
/// </summary>
public static class ModelTensors
{
    /// <summary><c>[vocabulary, hidden]</c>: the embedding table; the output head, too, when the two are tied.</summary>
    public const string Embedding = "model.embed_tokens.weight";

    /// <summary><c>[hidden]</c>: the RMS norm before the output head.</summary>
    public const string FinalNorm = "model.norm.weight";

    /// <summary><c>[vocabulary, hidden]</c>: the output head of a model that does not tie it to the embedding table.</summary>
    public const string Head = "lm_head.weight";

    /// <summary>The name of the tensor that serves as output head.</summary>
    public static string OutputHead(ModelConfig config) => config.TieWordEmbeddings ? Embedding : Head;

    /// <summary>Names of one decoder layer's tensors.</summary>
    public static LayerTensors Layer(int layer) => new(layer);

    /// <summary>Every tensor of a model, in the order in which a forward pass reads them.</summary>
    public static IReadOnlyList<TensorSpec> All(ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        int hidden = config.HiddenSize;
        int queries = config.Heads * config.HeadDim;
        int keys = config.KvHeads * config.HeadDim;
        var tensors = new List<TensorSpec> { new(Embedding, TensorRole.Embedding, config.VocabSize, hidden) };
        for (int i = 0; i < config.Layers; i++)
        {
            LayerTensors layer = Layer(i);
            tensors.Add(new TensorSpec(layer.InputNorm, TensorRole.Norm, hidden));
            tensors.AddRange(Matrix(config, layer.Query, TensorRole.InputProjection, queries, hidden));
            tensors.AddRange(Matrix(config, layer.Key, TensorRole.InputProjection, keys, hidden));
            tensors.AddRange(Matrix(config, layer.Value, TensorRole.InputProjection, keys, hidden));
            if (config.QkvBias)
            {
                tensors.Add(new TensorSpec(layer.QueryBias, TensorRole.Bias, queries));
                tensors.Add(new TensorSpec(layer.KeyBias, TensorRole.Bias, keys));
                tensors.Add(new TensorSpec(layer.ValueBias, TensorRole.Bias, keys));
            }

            if (config.QkNorm)
            {
                tensors.Add(new TensorSpec(layer.QueryNorm, TensorRole.Norm, config.HeadDim));
                tensors.Add(new TensorSpec(layer.KeyNorm, TensorRole.Norm, config.HeadDim));
            }

            tensors.AddRange(Matrix(config, layer.AttentionOutput, TensorRole.OutputProjection, hidden, queries));
            tensors.Add(new TensorSpec(layer.PostAttentionNorm, TensorRole.Norm, hidden));
            tensors.AddRange(Matrix(config, layer.Gate, TensorRole.InputProjection, config.IntermediateSize, hidden));
            tensors.AddRange(Matrix(config, layer.Up, TensorRole.InputProjection, config.IntermediateSize, hidden));
            tensors.AddRange(Matrix(config, layer.Down, TensorRole.OutputProjection, hidden, config.IntermediateSize));
        }

        tensors.Add(new TensorSpec(FinalNorm, TensorRole.Norm, hidden));
        if (!config.TieWordEmbeddings)
        {
            tensors.AddRange(Matrix(config, Head, TensorRole.Head, config.VocabSize, hidden));
        }

        return tensors;
    }

    /// <summary>A matrix, which is two tensors where it is quantised.</summary>
    private static TensorSpec[] Matrix(ModelConfig config, string name, TensorRole role, int outputs, int inputs) =>
        config.Quantization is { } quantization
            ? [quantization.Integers(name, outputs, inputs), quantization.Scales(name, outputs, inputs)]
            : [new TensorSpec(name, role, outputs, inputs)];

    /// <summary>
    /// Whether a tensor that is not in <see cref="All"/> may stand in a checkpoint unread. Anything else below
    /// <c>model.</c> or <c>lm_head.</c> would change the result if it were used, so it is refused: a bias that
    /// the configuration does not mention, say, or a layer too many.
    /// </summary>
    internal static bool MayBeIgnored(string name, ModelConfig config) =>
        name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal)
        || (name == Head && config.TieWordEmbeddings)
        || !(name.StartsWith("model.", StringComparison.Ordinal) || name.StartsWith("lm_head.", StringComparison.Ordinal));

    /// <summary>A shape as it is written in messages, for example <c>[512, 64]</c>.</summary>
    internal static string Format(ReadOnlySpan<int> shape)
    {
        var sizes = new string[shape.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            sizes[i] = shape[i].ToString(CultureInfo.InvariantCulture);
        }

        return $"[{string.Join(", ", sizes)}]";
    }
}

/// <summary>Names of one decoder layer's tensors.</summary>
/// <param name="Layer">Index of the layer.</param>
public readonly record struct LayerTensors(int Layer)
{
    /// <summary><c>[hidden]</c>: the RMS norm before attention.</summary>
    public string InputNorm => Name("input_layernorm.weight");

    /// <summary><c>[heads × head dim, hidden]</c>.</summary>
    public string Query => Name("self_attn.q_proj.weight");

    /// <summary><c>[KV heads × head dim, hidden]</c>.</summary>
    public string Key => Name("self_attn.k_proj.weight");

    /// <summary><c>[KV heads × head dim, hidden]</c>.</summary>
    public string Value => Name("self_attn.v_proj.weight");

    /// <summary><c>[heads × head dim]</c>; only with <see cref="ModelConfig.QkvBias"/>.</summary>
    public string QueryBias => Name("self_attn.q_proj.bias");

    /// <summary><c>[KV heads × head dim]</c>; only with <see cref="ModelConfig.QkvBias"/>.</summary>
    public string KeyBias => Name("self_attn.k_proj.bias");

    /// <summary><c>[KV heads × head dim]</c>; only with <see cref="ModelConfig.QkvBias"/>.</summary>
    public string ValueBias => Name("self_attn.v_proj.bias");

    /// <summary><c>[head dim]</c>: the RMS norm of each query head; only with <see cref="ModelConfig.QkNorm"/>.</summary>
    public string QueryNorm => Name("self_attn.q_norm.weight");

    /// <summary><c>[head dim]</c>: the RMS norm of each key head; only with <see cref="ModelConfig.QkNorm"/>.</summary>
    public string KeyNorm => Name("self_attn.k_norm.weight");

    /// <summary><c>[hidden, heads × head dim]</c>.</summary>
    public string AttentionOutput => Name("self_attn.o_proj.weight");

    /// <summary><c>[hidden]</c>: the RMS norm before the feed-forward network.</summary>
    public string PostAttentionNorm => Name("post_attention_layernorm.weight");

    /// <summary><c>[intermediate, hidden]</c>.</summary>
    public string Gate => Name("mlp.gate_proj.weight");

    /// <summary><c>[intermediate, hidden]</c>.</summary>
    public string Up => Name("mlp.up_proj.weight");

    /// <summary><c>[hidden, intermediate]</c>.</summary>
    public string Down => Name("mlp.down_proj.weight");

    private string Name(string suffix) => string.Create(CultureInfo.InvariantCulture, $"model.layers.{Layer}.{suffix}");
}
