using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>
/// Reads <c>config.json</c>. An absent key means what the Hugging Face configuration class of the architecture means
/// by it; what the engine can't run is refused rather than ignored.
/// </summary>
internal static class ModelConfigReader
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "config.json";

    private const int MistralDefaultWindow = 4096;
    private const int Qwen3DefaultHeadDim = 128;

    /// <summary>Reads the configuration.</summary>
    /// <exception cref="CheckpointException">A key is missing, mistyped, or asks for what the engine can't run.</exception>
    public static ModelConfig Read(JsonSettings json)
    {
        ModelArchitecture architecture = ReadArchitecture(json);
        RefuseUnsupported(json, architecture);
        int hidden = json.Int("hidden_size");
        int heads = json.Int("num_attention_heads");
        int layers = json.Int("num_hidden_layers");
        (double theta, Llama3RopeScaling? scaling) = RopeReader.Read(json);
        var config = new ModelConfig
        {
            Architecture = architecture,
            VocabSize = json.Int("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = json.Int("intermediate_size"),
            Layers = layers,
            Heads = heads,
            KvHeads = ReadKvHeads(json, architecture, heads),
            HeadDim = ReadHeadDim(json, architecture, hidden, heads),
            MaxPositions = json.Int("max_position_embeddings"),
            RmsNormEps = (float)json.Number("rms_norm_eps", 0),
            RopeTheta = theta,
            RopeScaling = scaling,
            TieWordEmbeddings = json.FindBool("tie_word_embeddings") ?? false,
            QkvBias = architecture == ModelArchitecture.Qwen2,
            QkNorm = architecture == ModelArchitecture.Qwen3,
            SlidingWindow = ReadSlidingWindow(json, architecture, layers),
            Quantization = QuantizationReader.Read(json),
        };
        if ((long)config.Heads * config.HeadDim > JsonSettings.MaxSize)
        {
            throw json.Unsupported("head_dim", $"{config.Heads} heads of width {config.HeadDim} are more than {JsonSettings.MaxSize} together.");
        }

        return config;
    }

    /// <summary>The name that <c>config.json</c> has for an architecture.</summary>
    public static string ClassName(ModelArchitecture architecture) => $"{architecture}ForCausalLM";

    private static ModelArchitecture ReadArchitecture(JsonSettings json)
    {
        string[] names = json.FindTexts("architectures") ?? throw json.Missing("architectures", $"an array with one of {Known()}");
        foreach (ModelArchitecture architecture in Enum.GetValues<ModelArchitecture>())
        {
            if (names.Length == 1 && names[0] == ClassName(architecture))
            {
                return architecture;
            }
        }

        throw json.Unsupported("architectures", $"[{string.Join(", ", names)}] is not supported; the engine runs {Known()}.");

        static string Known() => string.Join(", ", Enum.GetValues<ModelArchitecture>().Select(ClassName));
    }

    private static void RefuseUnsupported(JsonSettings json, ModelArchitecture architecture)
    {
        if (json.FindText("hidden_act") is { } activation and not "silu")
        {
            throw json.Unsupported("hidden_act", $"'{activation}' is not supported; it must be 'silu'.");
        }

        if (architecture != ModelArchitecture.Qwen2 && json.FindBool("attention_bias") == true)
        {
            throw json.Unsupported("attention_bias", "attention biases are supported only as Qwen2ForCausalLM has them; it must be false.");
        }

        if (json.FindBool("mlp_bias") == true)
        {
            throw json.Unsupported("mlp_bias", "biases in the feed-forward network are not supported; it must be false.");
        }
    }

    private static int ReadKvHeads(JsonSettings json, ModelArchitecture architecture, int heads)
    {
        // Only Llama's configuration defaults to as many KV heads as query heads; the others' defaults belong to one model each.
        int kvHeads = json.FindInt("num_key_value_heads")
            ?? (architecture == ModelArchitecture.Llama ? heads : throw json.Missing("num_key_value_heads", "a whole number"));
        return heads % kvHeads == 0
            ? kvHeads
            : throw json.Unsupported("num_key_value_heads", $"{kvHeads} does not divide num_attention_heads, {heads}.");
    }

    private static int ReadHeadDim(JsonSettings json, ModelArchitecture architecture, int hidden, int heads)
    {
        int? headDim = json.FindInt("head_dim") ?? (architecture == ModelArchitecture.Qwen3 ? Qwen3DefaultHeadDim : null);
        if (headDim is null && hidden % heads != 0)
        {
            throw json.Missing("head_dim", $"a whole number, since num_attention_heads, {heads}, does not divide hidden_size, {hidden}");
        }

        int value = headDim ?? hidden / heads;
        return value % 2 == 0
            ? value
            : throw json.Unsupported("head_dim", $"{value} is odd; rotary embeddings need an even width.");
    }

    private static int? ReadSlidingWindow(JsonSettings json, ModelArchitecture architecture, int layers)
    {
        switch (architecture)
        {
            case ModelArchitecture.Mistral:
                return json.Has("sliding_window") ? json.FindInt("sliding_window") : MistralDefaultWindow;
            case ModelArchitecture.Qwen2 or ModelArchitecture.Qwen3 when json.FindBool("use_sliding_window") == true:
                return WindowedLayers(json, layers) switch
                {
                    0 => null,
                    int all when all == layers => json.Int("sliding_window"),
                    int some => throw json.Unsupported(
                        "use_sliding_window",
                        $"{some} of {layers} layers would have a sliding window; the engine supports one in all layers or in none."),
                };
            default:
                return null;
        }
    }

    private static int WindowedLayers(JsonSettings json, int layers)
    {
        if (json.FindTexts("layer_types") is { } types)
        {
            if (types.Length != layers || types.Any(static type => type is not ("full_attention" or "sliding_attention")))
            {
                throw json.Unsupported("layer_types", $"must be {layers} times 'full_attention' or 'sliding_attention', one for each layer.");
            }

            return types.Count(static type => type == "sliding_attention");
        }

        return layers - Math.Min(layers, json.Int("max_window_layers", minimum: 0));
    }
}
