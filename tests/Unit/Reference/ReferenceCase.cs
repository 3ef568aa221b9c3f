using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Tests.Unit.Reference;

/// <summary>A random checkpoint that both implementations run, and the prompts that they run on it.</summary>
/// <param name="Name">Name in the test's report.</param>
/// <param name="Config">Shape of the model.</param>
/// <param name="Dtype">Number format on disk.</param>
/// <param name="PromptLengths">Tokens of each prompt.</param>
/// <param name="NewTokens">Tokens to generate after each.</param>
/// <param name="LogitRows">How many of a prompt's last rows are compared.</param>
/// <param name="MaxShardBytes">Size of a weight file.</param>
internal sealed record ReferenceCase(
    string Name,
    ModelConfig Config,
    TensorDtype Dtype,
    int[] PromptLengths,
    int NewTokens = 16,
    int LogitRows = int.MaxValue,
    long MaxShardBytes = long.MaxValue)
{
    // Within a block, at its end, beyond it, and over several.
    private static readonly int[] Lengths = [1, 7, 16, 37, 83];

    public static IReadOnlyList<ReferenceCase> All { get; } = [.. Cases()];

    /// <summary>The prompts: the same on every run.</summary>
    public int[][] Prompts()
    {
        var random = new Random(5);
        return [.. PromptLengths.Select(length => Enumerable.Range(0, length).Select(_ => random.Next(Config.VocabSize)).ToArray())];
    }

    private static IEnumerable<ReferenceCase> Cases()
    {
        foreach (ModelArchitecture architecture in Enum.GetValues<ModelArchitecture>())
        {
            ModelConfig tiny = ModelPreset.Tiny.Config(architecture);
            yield return new ReferenceCase($"{architecture}, untied", tiny, TensorDtype.F32, Lengths);
            yield return new ReferenceCase($"{architecture}, tied", tiny with { TieWordEmbeddings = true }, TensorDtype.F32, Lengths);
            yield return new ReferenceCase($"{architecture}, odd sizes, four queries to a key", Odd(architecture), TensorDtype.F32, Lengths);
        }

        ModelConfig llama = ModelPreset.Tiny.Config(ModelArchitecture.Llama);
        ModelConfig mistral = ModelPreset.Tiny.Config(ModelArchitecture.Mistral);
        ModelConfig qwen2 = ModelPreset.Tiny.Config(ModelArchitecture.Qwen2);

        // With an original context of 64, frequencies of a head of 16 fall into all three bands.
        ModelConfig scaled = llama with { RopeScaling = new Llama3RopeScaling(8, 1, 4, 64) };
        yield return new ReferenceCase("Llama, llama3 rope scaling", scaled, TensorDtype.F32, Lengths);
        yield return new ReferenceCase("Llama, as many keys as queries", llama with { KvHeads = 4 }, TensorDtype.F32, Lengths);
        yield return new ReferenceCase("Mistral, sliding window", mistral with { SlidingWindow = 24 }, TensorDtype.F32, Lengths);
        yield return new ReferenceCase("Mistral, window of one", mistral with { SlidingWindow = 1 }, TensorDtype.F32, Lengths);
        yield return new ReferenceCase("Qwen2, sliding window", qwen2 with { SlidingWindow = 24 }, TensorDtype.F32, Lengths);
        yield return new ReferenceCase("Llama, BF16 weights", llama, TensorDtype.BF16, Lengths);
        yield return new ReferenceCase("Mistral, F16 weights, sharded", mistral, TensorDtype.F16, Lengths, MaxShardBytes: 100_000);
        yield return new ReferenceCase("Llama, a long prompt", scaled, TensorDtype.F32, [1500], NewTokens: 8, LogitRows: 64);
        yield return new ReferenceCase(
            "Mistral, a long prompt in a sliding window", mistral with { SlidingWindow = 200 }, TensorDtype.F32, [1200], NewTokens: 8, LogitRows: 64);
    }

    private static ModelConfig Odd(ModelArchitecture architecture) => ModelPreset.Tiny.Config(architecture) with
    {
        VocabSize = 301,
        HiddenSize = 88,
        IntermediateSize = 205,
        Layers = 3,
        Heads = 8,
        KvHeads = 2,
        HeadDim = 32,
        RmsNormEps = 1e-6f,
        RopeTheta = 1_000_000,
    };
}
