using System.Text.Json.Nodes;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

/// <summary><c>config.json</c>: what each key means, and what is refused.</summary>
public sealed class ModelConfigTests : IDisposable
{
    private readonly CheckpointFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("vocab_size")]
    [InlineData("hidden_size")]
    [InlineData("intermediate_size")]
    [InlineData("num_hidden_layers")]
    [InlineData("num_attention_heads")]
    [InlineData("max_position_embeddings")]
    [InlineData("rms_norm_eps")]
    [InlineData("architectures")]
    public void AMissingKey(string key)
    {
        _files.EditConfig(json => json.Remove(key));
        Refused($"config.json: key '{key}' is missing");
    }

    [Theory]
    [InlineData("vocab_size", "\"512\"", "a whole number from 1")]
    [InlineData("hidden_size", "0", "a whole number from 1")]
    [InlineData("num_hidden_layers", "1.5", "a whole number from 1")]
    [InlineData("num_attention_heads", "99999999999", "a whole number from 1")]
    [InlineData("rms_norm_eps", "\"small\"", "a number of at least 0")]
    [InlineData("rms_norm_eps", "-1", "a number of at least 0")]
    [InlineData("rope_theta", "0", "a number greater than 0")]
    [InlineData("tie_word_embeddings", "1", "true or false")]
    [InlineData("architectures", "\"LlamaForCausalLM\"", "an array of strings")]
    [InlineData("rope_scaling", "8", "an object")]
    [InlineData("hidden_act", "[]", "a string")]
    [InlineData("eos_token_id", "\"end\"", "a token id or an array of token ids")]
    public void AMistypedKey(string key, string value, string expected)
    {
        _files.EditConfig(json => json[key] = JsonNode.Parse(value));
        Refused($"config.json: key '{key}' must be {expected}", $"found {value}");
    }

    [Theory]
    [InlineData("architectures", "[\"GemmaForCausalLM\"]", "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM")]
    [InlineData("architectures", "[]", "is not supported")]
    [InlineData("hidden_act", "\"gelu\"", "'silu'")]
    [InlineData("attention_bias", "true", "must be false")]
    [InlineData("mlp_bias", "true", "must be false")]
    [InlineData("quantization_config", "{}", "F32, F16 or BF16")]
    [InlineData("num_key_value_heads", "3", "does not divide num_attention_heads, 2")]
    [InlineData("head_dim", "3", "is odd")]
    [InlineData("partial_rotary_factor", "0.5", "whole head")]
    public void AnUnsupportedValue(string key, string value, string expected)
    {
        _files.EditConfig(json => json[key] = JsonNode.Parse(value));
        Refused($"config.json: key '{key}'", expected);
    }

    [Theory]
    [InlineData("{\"rope_type\":\"yarn\",\"factor\":4}", "key 'rope_scaling.rope_type': 'yarn' is not supported; the engine has 'default' and 'llama3'")]
    [InlineData("{\"type\":\"linear\",\"factor\":4}", "'linear' is not supported")]
    [InlineData("{\"rope_type\":\"llama3\",\"factor\":8}", "key 'rope_scaling.low_freq_factor' is missing")]
    [InlineData("{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,\"original_max_position_embeddings\":64}", "must be greater than low_freq_factor, 4")]
    public void UnsupportedRopeScaling(string value, string expected)
    {
        _files.EditConfig(json => json["rope_scaling"] = JsonNode.Parse(value));
        Refused(expected);
    }

    [Theory]
    [InlineData("rope_scaling", "{\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}", 500)]
    [InlineData("rope_parameters", "{\"rope_theta\":700,\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}", 700)]
    public void Llama3RopeScalingIsRead(string key, string value, double theta)
    {
        ModelConfig config = Config(json =>
        {
            json["rope_theta"] = 500;
            json[key] = JsonNode.Parse(value);
        });
        Assert.Equal(new Llama3RopeScaling(32, 1, 4, 8192), config.RopeScaling);
        Assert.Equal(theta, config.RopeTheta);
    }

    [Theory]
    [InlineData("rope_scaling", "{\"rope_type\":\"default\"}")]
    [InlineData("rope_scaling", "{\"type\":\"default\"}")]
    [InlineData("rope_scaling", "null")]
    [InlineData("rope_parameters", "{\"rope_theta\":10000.0}")]
    public void NoRopeScaling(string key, string value)
    {
        ModelConfig config = Config(json => json[key] = JsonNode.Parse(value));
        Assert.Null(config.RopeScaling);
        Assert.Equal(10_000, config.RopeTheta);
    }

    [Fact]
    public void AbsentKeysHaveTheirDefaults()
    {
        ModelConfig config = Config(json =>
        {
            json["num_attention_heads"] = 2;
            json.Remove("num_key_value_heads");
            json.Remove("head_dim");
            json.Remove("rope_theta");
            json.Remove("tie_word_embeddings");
            json.Remove("hidden_act");
        });
        Assert.Equal((2, 4, 10_000.0, false), (config.KvHeads, config.HeadDim, config.RopeTheta, config.TieWordEmbeddings));
    }

    [Fact]
    public void AHeadWidthThatCanNotBeDerived()
    {
        _files.EditConfig(json =>
        {
            json.Remove("head_dim");
            json["num_attention_heads"] = 3;
        });
        Refused("key 'head_dim' is missing", "does not divide hidden_size, 8");
    }

    [Theory]
    [InlineData("MistralForCausalLM", "{}", 4096)]
    [InlineData("MistralForCausalLM", "{\"sliding_window\":null}", null)]
    [InlineData("MistralForCausalLM", "{\"sliding_window\":64}", 64)]
    [InlineData("LlamaForCausalLM", "{\"sliding_window\":64}", null)]
    [InlineData("Qwen2ForCausalLM", "{\"sliding_window\":64}", null)]
    [InlineData("Qwen2ForCausalLM", "{\"sliding_window\":64,\"use_sliding_window\":false,\"max_window_layers\":0}", null)]
    [InlineData("Qwen2ForCausalLM", "{\"sliding_window\":64,\"use_sliding_window\":true,\"max_window_layers\":28}", null)]
    [InlineData("Qwen2ForCausalLM", "{\"sliding_window\":64,\"use_sliding_window\":true,\"max_window_layers\":0}", 64)]
    [InlineData("Qwen3ForCausalLM", "{\"sliding_window\":64,\"use_sliding_window\":true,\"layer_types\":[\"sliding_attention\",\"sliding_attention\"]}", 64)]
    [InlineData("Qwen3ForCausalLM", "{\"sliding_window\":64,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\",\"full_attention\"]}", null)]
    public void SlidingWindows(string architecture, string settings, int? expected) =>
        Assert.Equal(expected, WindowConfig(architecture, settings).SlidingWindow);

    [Theory]
    [InlineData("{\"sliding_window\":64,\"use_sliding_window\":true,\"max_window_layers\":1}", "1 of 2 layers")]
    [InlineData("{\"sliding_window\":64,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", "1 of 2 layers")]
    [InlineData("{\"sliding_window\":64,\"use_sliding_window\":true,\"layer_types\":[\"full_attention\"]}", "layer_types")]
    [InlineData("{\"use_sliding_window\":true,\"max_window_layers\":0}", "'sliding_window' is missing")]
    [InlineData("{\"use_sliding_window\":true,\"sliding_window\":64}", "'max_window_layers' is missing")]
    public void SlidingWindowsThatTheEngineLacks(string settings, string expected) =>
        Assert.Contains(expected, Assert.Throws<CheckpointException>(() => WindowConfig("Qwen2ForCausalLM", settings)).Message);

    [Theory]
    [InlineData("{", "is no valid JSON")]
    [InlineData("[]", "must hold a JSON object")]
    [InlineData("{\"hidden_act\":\"\\ud800\"}", "holds a string that is no valid text")]
    public void AFileThatIsNoObject(string text, string expected)
    {
        File.WriteAllText(_files.File("config.json"), text);
        Refused($"config.json: {expected}");
    }

    [Fact]
    public void AMissingFile()
    {
        File.Delete(_files.File("config.json"));
        Refused("config.json: is missing");
    }

    [Fact]
    public void GenerationSettingsComeFromTheirFileFirst()
    {
        _files.EditConfig(json =>
        {
            json["eos_token_id"] = 5;
            json["bos_token_id"] = 4;
        });
        File.WriteAllText(_files.File("generation_config.json"), """
            {"eos_token_id": [2, 3, -1, 99], "temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.05,
             "repetition_penalty": 1.1, "do_sample": true, "max_new_tokens": 77}
            """);
        using Checkpoint checkpoint = _files.Open();
        GenerationDefaults generation = checkpoint.Generation;
        Assert.Equal([2, 3], generation.EosTokenIds);
        Assert.Equal(4, generation.BosTokenId);
        Assert.Null(generation.PadTokenId);
        Assert.Equal(
            (0.6f, 0.9f, 20, 0.05f, 1.1f, true, 77),
            (generation.Temperature, generation.TopP, generation.TopK, generation.MinP, generation.RepetitionPenalty, generation.DoSample, generation.MaxNewTokens));
    }

    [Fact]
    public void GenerationSettingsMayLackTheirFile()
    {
        File.Delete(_files.File("generation_config.json"));
        _files.EditConfig(json => json["eos_token_id"] = 5);
        using Checkpoint checkpoint = _files.Open();
        Assert.Equal([5], checkpoint.Generation.EosTokenIds);
        Assert.Null(checkpoint.Generation.Temperature);
    }

    private ModelConfig Config(Action<JsonObject> edit)
    {
        _files.EditConfig(edit);
        return CheckpointSettings.Read(_files.Path).Config;
    }

    private ModelConfig WindowConfig(string architecture, string settings) => Config(json =>
    {
        json["architectures"] = new JsonArray(architecture);
        json["num_hidden_layers"] = 2;
        json.Remove("sliding_window");
        foreach ((string key, JsonNode? value) in JsonNode.Parse(settings)!.AsObject())
        {
            json[key] = value?.DeepClone();
        }
    });

    private void Refused(params string[] expected)
    {
        string message = _files.Refused();
        Assert.All(expected, part => Assert.Contains(part, message));
    }
}
