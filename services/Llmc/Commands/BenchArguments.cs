using System.CommandLine;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.CommandLine.Commands;

/// <summary>Options that benchmarks have in common.</summary>
internal static class BenchArguments
{
    /// <summary>The shape of a random model, by name.</summary>
    public static Option<string> Preset() => Choice("--preset", "Shape of the random model", ModelPresets.ByName.Keys, "88m");

    /// <summary>The number format of its weights.</summary>
    public static Option<string> Dtype() => Choice("--dtype", "Number format of the weights", Names<WeightDtype>(), "bf16");

    /// <summary>A whole number.</summary>
    public static Option<int> Number(string name, string description, int defaultValue) =>
        new(name) { Description = description, DefaultValueFactory = _ => defaultValue };

    /// <summary>One of a few words.</summary>
    public static Option<string> Choice(string name, string description, IEnumerable<string> values, string defaultValue)
    {
        string[] accepted = [.. values];
        var option = new Option<string>(name) { Description = $"{description}: {string.Join(", ", accepted)}.", DefaultValueFactory = _ => defaultValue };
        option.AcceptOnlyFromAmong(accepted);
        return option;
    }

    /// <summary>The values of an enumeration as words.</summary>
    public static string[] Names<T>()
        where T : struct, Enum => [.. Enum.GetNames<T>().Select(name => name.ToLowerInvariant())];

    /// <summary>The value that a word of <see cref="Names"/> stands for.</summary>
    public static T Parse<T>(string name)
        where T : struct, Enum => Enum.Parse<T>(name, ignoreCase: true);
}
