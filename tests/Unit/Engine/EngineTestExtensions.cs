using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using Xunit;

namespace LlmCluster.Tests.Unit.Engine;

internal static class EngineTestExtensions
{
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static GenerationRequest Request(int[] prompt, int maxTokens = 8, SamplingOptions? sampling = null, string id = "r") => new()
    {
        Id = id,
        Prompt = prompt,
        MaxTokens = maxTokens,
        Sampling = sampling ?? new SamplingOptions { Temperature = 0 },
    };

    public static int[] Prompt(int length, int seed = 1, int vocabSize = 48)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabSize))];
    }

    public static async Task<List<GeneratedToken>> ReadToEndAsync(this IGeneration generation)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        List<GeneratedToken> tokens = [];
        await foreach (GeneratedToken token in generation.ReadAllAsync(deadline.Token))
        {
            tokens.Add(token);
        }

        return tokens;
    }

    /// <summary>Waits until a condition holds.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (!condition())
        {
            Assert.False(deadline.IsCancellationRequested, $"Not within {Deadline.TotalSeconds} s: {what}");
            await Task.Delay(1);
        }
    }

    /// <summary>Demands that nobody holds a block.</summary>
    public static Task AssertNoBlockHeldAsync(this InferenceEngine engine) =>
        UntilAsync(() => engine.Pool.Counts.Referenced == 0 && engine.Status is { Running: 0, Waiting: 0 }, "every block given back");
}
