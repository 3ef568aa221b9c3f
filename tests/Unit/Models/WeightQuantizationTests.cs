using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

/// <summary>Checkpoints that hold integers: what is accepted, and what is refused in which words.</summary>
public sealed class WeightQuantizationTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj";

    private readonly CheckpointFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("""{"quant_method": "gptq", "bits": 4, "group_size": 128}""", "quantised by 'gptq' are not supported")]
    [InlineData("""{"quant_method": "awq", "bits": 4, "version": "gemm"}""", "quantised by 'awq' are not supported")]
    [InlineData("""{"quant_method": "fp8", "activation_scheme": "dynamic"}""", "quantised by 'fp8' are not supported")]
    [InlineData("""{"quant_method": "compressed-tensors"}""", "quantised by 'compressed-tensors' are not supported")]
    [InlineData("""{"load_in_4bit": true}""", "quantised by 'bitsandbytes' are not supported")]
    [InlineData("""{"bits": 8}""", "a method that quant_method does not name")]
    public void Formats_of_other_tools_are_refused_by_name(string settings, string expected)
    {
        _files.EditConfig(json => json["quantization_config"] = JsonNode.Parse(settings));
        Refused("config.json: key 'quantization_config': weights", expected, "F32, F16 or BF16, or what 'llmc model quantize' makes", "'llmcluster'");
    }

    [Fact]
    public void So_is_the_key_that_compressed_tensors_had_before()
    {
        _files.EditConfig(json => json["compression_config"] = new JsonObject());
        Refused("config.json: key 'compression_config': weights quantised by 'compressed-tensors' are not supported");
    }

    [Theory]
    [InlineData("version", "2", "'quantization_config.version': 2 is not supported; it must be 1")]
    [InlineData("version", "null", "'quantization_config.version' is missing")]
    [InlineData("group_size", "64", "'quantization_config.group_size': 64 is not supported; it must be 32")]
    [InlineData("bits", "5", "'quantization_config.bits': 5 is not supported; it must be 8 or 4")]
    [InlineData("bits", "\"8\"", "'quantization_config.bits' must be a whole number")]
    public void Settings_must_be_known(string key, string value, string expected)
    {
        _files.EditConfig(json =>
        {
            json["quantization_config"] = Settings(8);
            json["quantization_config"]![key] = JsonNode.Parse(value);
        });
        Refused("config.json", expected);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    public void Numbers_are_no_integers(int bits)
    {
        _files.EditConfig(json => json["quantization_config"] = Settings(bits));
        Refused($"tensor '{Query}.qweight': is missing; expected one of shape [8, {(bits == 8 ? 8 : 4)}]");
    }

    [Fact]
    public void Integers_are_no_numbers()
    {
        Quantize(WeightDtype.Q8);
        _files.EditConfig(json => json.Remove("quantization_config"));
        Refused($"tensor '{Query}.weight': is missing");
    }

    [Fact]
    public void Numbers_and_integers_of_one_matrix_are_too_many()
    {
        Quantize(WeightDtype.Q8);
        _files.AddTensor($"{Query}.weight");
        Refused($"tensor '{Query}.weight': is not part of");
    }

    [Theory]
    [InlineData(WeightDtype.Q8, "qweight", "U8", "has dtype U8; expected I8")]
    [InlineData(WeightDtype.Q4, "qweight", "I8", "has dtype I8; expected U8")]
    [InlineData(WeightDtype.Q4, "scales", "F16", "has dtype F16; expected BF16")]
    public void Parts_have_their_number_format(WeightDtype to, string part, string dtype, string expected)
    {
        Quantize(to);
        _files.EditHeader(json => json[$"{Query}.{part}"]!["dtype"] = dtype);
        Refused($"tensor '{Query}.{part}': {expected}");
    }

    [Fact]
    public void An_integer_out_of_range_is_named()
    {
        Quantize(WeightDtype.Q8);
        byte[] bytes = File.ReadAllBytes(_files.Weights);
        using (Checkpoint checkpoint = _files.Open())
        {
            byte[] integers = checkpoint.GetTensor(checkpoint.Config.Quantization!.Integers($"{Query}.weight", 8, 8)).Bytes.ToArray();
            bytes[bytes.AsSpan().IndexOf(integers) + 17] = 0x80;
        }

        File.WriteAllBytes(_files.Weights, bytes);
        using Checkpoint damaged = _files.Open();
        CheckpointException error = Assert.Throws<CheckpointException>(() => CpuModel.Load(damaged, new CpuOptions { Threads = 2 }).Dispose());
        Assert.Contains($"tensor '{Query}.qweight': row 2 holds -128; integers lie between -127 and 127", error.Message);
    }

    [Theory]
    [InlineData(WeightDtype.Q8, "qweight")]
    [InlineData(WeightDtype.Q4, "qweight")]
    [InlineData(WeightDtype.Q8, "scales")]
    [InlineData(WeightDtype.Q4, "scales")]
    public void Each_part_counts_in_the_fingerprint(WeightDtype to, string part)
    {
        Quantize(to);
        string before = Fingerprint();
        _files.Damage($"{Query}.{part}", 3);
        Assert.NotEqual(before, Fingerprint());
    }

    [Fact]
    public void Nibbles_survive_packing()
    {
        Gen<sbyte[]> integers = Gen.Choose(-8, 7).Select(i => (sbyte)i).ArrayOf();
        Prop.ForAll(integers.ToArbitrary(), numbers =>
        {
            byte[] bytes = new byte[NibblePairs.Count(numbers.Length)];
            NibblePairs.Pack(numbers, bytes);
            sbyte[] unpacked = new sbyte[numbers.Length];
            NibblePairs.Unpack(bytes, unpacked);
            return numbers.SequenceEqual(unpacked);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Nibbles_lie_as_documented()
    {
        byte[] bytes = new byte[2];
        NibblePairs.Pack([-8, 7, 1], bytes);
        Assert.Equal([0xF0, 0x89], bytes);
    }

    private static JsonObject Settings(int bits) =>
        new() { ["quant_method"] = "llmcluster", ["version"] = 1, ["bits"] = bits, ["group_size"] = 32 };

    /// <summary>Replaces the files by their quantised form.</summary>
    private void Quantize(WeightDtype to)
    {
        using var folder = new TempDirectory("quantized");
        string output = folder.Combine("out");
        CheckpointQuantizer.Write(_files.Path, output, new QuantizationOptions { To = to }, TestContext.Current.CancellationToken);
        foreach (string file in Directory.GetFiles(output))
        {
            File.Copy(file, _files.File(Path.GetFileName(file)), overwrite: true);
        }
    }

    private string Fingerprint()
    {
        using Checkpoint checkpoint = _files.Open();
        return checkpoint.Fingerprint;
    }

    private void Refused(params string[] expected)
    {
        string message = _files.Refused();
        Assert.All(expected, part => Assert.Contains(part, message));
    }
}
