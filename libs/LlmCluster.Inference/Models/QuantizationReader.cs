namespace LlmCluster.Inference.Models;

/// <summary>Reads <c>quantization_config</c> from <c>config.json</c>. Other tools' formats are refused by name.</summary>
internal static class QuantizationReader
{
    public const string Key = "quantization_config";
    public const string MethodKey = "quant_method";
    public const string BitsKey = "bits";
    public const string GroupSizeKey = "group_size";
    public const string VersionKey = "version";

    // What compressed-tensors wrote before it took to the common key.
    private const string OldKey = "compression_config";

    /// <summary>Reads how weights are stored; null if they are numbers.</summary>
    /// <exception cref="CheckpointException">They are stored in a way that the engine does not read.</exception>
    public static WeightQuantization? Read(JsonSettings json)
    {
        if (json.Find(OldKey) is not null)
        {
            throw Refuse(json, OldKey, "'compressed-tensors'");
        }

        if (json.FindObject(Key) is not { } settings)
        {
            return null;
        }

        if (settings.FindText(MethodKey) is not WeightQuantization.Method)
        {
            throw Refuse(json, Key, Describe(settings));
        }

        Require(settings, VersionKey, WeightQuantization.Version);
        Require(settings, GroupSizeKey, WeightQuantization.GroupSize);
        int bits = settings.Int(BitsKey);
        return bits is 8 or 4
            ? new WeightQuantization { Bits = bits }
            : throw settings.Unsupported(BitsKey, $"{bits} is not supported; it must be 8 or 4.");
    }

    private static void Require(JsonSettings settings, string key, int supported)
    {
        int value = settings.Int(key);
        if (value != supported)
        {
            throw settings.Unsupported(key, $"{value} is not supported; it must be {supported}.");
        }
    }

    private static CheckpointException Refuse(JsonSettings json, string key, string method) => json.Unsupported(
        key,
        $"weights quantised by {method} are not supported; they must be F32, F16 or BF16, or what 'llmc model quantize' makes of those ({MethodKey} '{WeightQuantization.Method}').");

    // bitsandbytes wrote no method at first.
    private static string Describe(JsonSettings settings) => settings.FindText(MethodKey) is { } method ? $"'{method}'"
        : settings.Has("load_in_8bit") || settings.Has("load_in_4bit") ? "'bitsandbytes'"
        : $"a method that {MethodKey} does not name";
}
