using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

public class InferenceEngineTests
{
    private static readonly EngineOptions Options = new() { MaxBatchTokens = 24, MaxRunning = 8 };

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 5)]
    [InlineData(4, 20)]
    [InlineData(41, 30)]
    public async Task One_sequence_equals_the_oracle(int promptLength, int maxTokens)
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, Options);
        GenerationRequest request = Request(Prompt(promptLength), maxTokens, new SamplingOptions { Seed = 7, TopLogprobs = 3 });

        await using IGeneration generation = engine.Submit(request);
        List<GeneratedToken> tokens = await generation.ReadToEndAsync();

        Assert.Equal(maxTokens, tokens.Count);
        Oracle.AssertSame(Oracle.Generate(request, model), tokens, "one sequence");
        Assert.Equal(0, generation.CachedTokens);
        await engine.AssertNoBlockHeldAsync();
    }
}
