using System.Text.Json;

namespace LlmCluster.Inference.Models;

/// <summary>Writes <c>config.json</c> and <c>generation_config.json</c> as the reader understands them.</summary>
internal static class ModelConfigWriter
{
    private static readonly JsonWriterOptions Options = new() { Indented = true, NewLine = "\n" };

    /// <summary>Writes both files into a directory; <c>config.json</c> last, since it makes the directory a checkpoint.</summary>
    public static void Write(string directory, ModelConfig config, TensorDtype dtype, GenerationDefaults generation)
    {
        WriteFile(Path.Combine(directory, GenerationDefaults.FileName), json => WriteTokenIds(json, generation));
        WriteFile(Path.Combine(directory, ModelConfigReader.FileName), json => WriteConfig(json, config, dtype, generation));
    }

    private static void WriteConfig(Utf8JsonWriter json, ModelConfig config, TensorDtype dtype, GenerationDefaults generation)
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue(ModelConfigReader.ClassName(config.Architecture));
        json.WriteEndArray();
        json.WriteString("model_type", config.Architecture.ToString().ToLowerInvariant());
        WriteTokenIds(json, generation);
        json.WriteNumber("vocab_size", config.VocabSize);
        json.WriteNumber("hidden_size", config.HiddenSize);
        json.WriteNumber("intermediate_size", config.IntermediateSize);
        json.WriteNumber("num_hidden_layers", config.Layers);
        json.WriteNumber("num_attention_heads", config.Heads);
        json.WriteNumber("num_key_value_heads", config.KvHeads);
        json.WriteNumber("head_dim", config.HeadDim);
        json.WriteNumber("max_position_embeddings", config.MaxPositions);
        json.WriteNumber("rms_norm_eps", config.RmsNormEps);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("rope_theta", config.RopeTheta);
        WriteRopeScaling(json, config.RopeScaling);
        json.WriteBoolean("tie_word_embeddings", config.TieWordEmbeddings);
        WriteSlidingWindow(json, config);
        json.WriteString("torch_dtype", dtype switch
        {
            TensorDtype.F32 => "float32",
            TensorDtype.F16 => "float16",
            _ => "bfloat16",
        });
    }

    private static void WriteTokenIds(Utf8JsonWriter json, GenerationDefaults generation)
    {
        if (generation.BosTokenId is { } bos)
        {
            json.WriteNumber("bos_token_id", bos);
        }

        if (generation.EosTokenIds.Count > 0)
        {
            json.WriteStartArray("eos_token_id");
            foreach (int eos in generation.EosTokenIds)
            {
                json.WriteNumberValue(eos);
            }

            json.WriteEndArray();
        }
    }

    private static void WriteRopeScaling(Utf8JsonWriter json, Llama3RopeScaling? scaling)
    {
        if (scaling is null)
        {
            json.WriteNull("rope_scaling");
            return;
        }

        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", "llama3");
        json.WriteNumber("factor", scaling.Factor);
        json.WriteNumber("low_freq_factor", scaling.LowFrequencyFactor);
        json.WriteNumber("high_freq_factor", scaling.HighFrequencyFactor);
        json.WriteNumber("original_max_position_embeddings", scaling.OriginalMaxPositions);
        json.WriteEndObject();
    }

    private static void WriteSlidingWindow(Utf8JsonWriter json, ModelConfig config)
    {
        if (config.Architecture is ModelArchitecture.Qwen2 or ModelArchitecture.Qwen3)
        {
            json.WriteBoolean("use_sliding_window", config.SlidingWindow is not null);
            json.WriteNumber("max_window_layers", config.SlidingWindow is null ? config.Layers : 0);
        }

        if (config.SlidingWindow is { } window)
        {
            json.WriteNumber("sliding_window", window);
        }
        else if (config.Architecture != ModelArchitecture.Llama)
        {
            json.WriteNull("sliding_window");
        }
    }

    private static void WriteFile(string path, Action<Utf8JsonWriter> write)
    {
        using FileStream stream = File.Create(path);
        using (var json = new Utf8JsonWriter(stream, Options))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }
}
