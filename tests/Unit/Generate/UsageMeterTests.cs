using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;
using LlmCluster.Worker.Generate;
using Xunit;

namespace LlmCluster.Tests.Unit.Generate;

public sealed class UsageMeterTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 0)]
    public void A_prompt_counts_once_and_as_cached_what_the_choice_that_computed_it_found(int computes, int follows)
    {
        int[] cached = new int[2];
        cached[follows] = 32;
        foreach (int first in new[] { 0, 1 })
        {
            var meter = new UsageMeter(sequences: 3);
            Assert.True(meter.Add(Piece(first, prompt: 0, cached[first])));
            Assert.True(meter.Add(Piece(1 - first, prompt: 0, cached[1 - first])));
            Assert.False(meter.Add(Piece(computes, prompt: 0, cached[computes])));
            Assert.True(meter.Add(Piece(2, prompt: 1, cached: 16)));
            Assert.Equal(new Usage(PromptTokens: 80, CompletionTokens: 4, CachedTokens: 16), meter.Usage);
        }
    }

    private static SequencePiece Piece(int index, int prompt, int cached) =>
        new(new GenerateSequence(index, prompt, Seed: 0, MaxTokens: 9), new TextDelta("a", [new OutputToken(7, 0, false, null, "", [], null)], FinishReason.None), PromptTokens: 40, cached);
}
