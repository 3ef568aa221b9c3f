using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

public class RequestValidationTests
{
    public static TheoryData<string, GenerationRequest> Refused => new()
    {
        { "prompt is empty", Request([]) },
        { "The prompt has 96 tokens; the model's context is 96 tokens", Request(Prompt(96)) },
        { "takes 11 KV blocks of 4 tokens; this worker's pool has 10", Request(Prompt(41)) },
        { "Token 2 of the prompt is 48; ids go from 0 to 47", Request([1, 2, 48]) },
        { "Token 0 of the prompt is -1", Request([-1]) },
        { "MaxTokens is 0", Request([1], maxTokens: 0) },
        { "MinTokens is -1", Request([1]) with { MinTokens = -1 } },
        { "MinTokens is 9 and MaxTokens 8", Request([1]) with { MinTokens = 9 } },
        { "Temperature is NaN", With(new() { Temperature = float.NaN }) },
        { "Temperature is 2.5", With(new() { Temperature = 2.5f }) },
        { "TopP is 0", With(new() { TopP = 0 }) },
        { "TopK is -1", With(new() { TopK = -1 }) },
        { "MinP is 1.5", With(new() { MinP = 1.5f }) },
        { "RepetitionPenalty is 0", With(new() { RepetitionPenalty = 0 }) },
        { "PresencePenalty is 3", With(new() { PresencePenalty = 3 }) },
        { "FrequencyPenalty is -3", With(new() { FrequencyPenalty = -3 }) },
        { "TopLogprobs is 49", With(new() { TopLogprobs = 49 }) },
        { "LogitBias names token 48", With(new() { LogitBias = new Dictionary<int, float> { [48] = 1 } }) },
        { "LogitBias of token 4 is 101", With(new() { LogitBias = new Dictionary<int, float> { [4] = 101 } }) },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_request_that_can_never_be_served_is_refused_with_the_figures(string message, GenerationRequest request)
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, new EngineOptions());

        var error = Assert.Throws<GenerationException>(() => engine.Submit(request));
        var prefillError = Assert.Throws<GenerationException>(
            () => engine.SubmitPrefill(request, NSubstitute.Substitute.For<IPrefillSink>(), CancellationToken.None));

        Assert.Equal(GenerationError.InvalidRequest, error.Error);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(error.Message, prefillError.Message);
    }

    [Fact]
    public async Task The_longest_prompts_that_fit_are_served()
    {
        using var model = new HashModel(blocks: 10);
        await using var engine = new InferenceEngine(model, new EngineOptions());
        Assert.Single(await engine.Submit(Request(Prompt(40), maxTokens: 1)).ReadToEndAsync());

        using var large = new HashModel(blocks: 24);
        await using var second = new InferenceEngine(large, new EngineOptions());
        Assert.Single(await second.Submit(Request(Prompt(95), maxTokens: 9)).ReadToEndAsync());
    }

    private static GenerationRequest With(SamplingOptions sampling) => Request([1, 2], sampling: sampling);
}
