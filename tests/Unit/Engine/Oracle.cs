using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using Xunit;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>What <see cref="HashModel"/> answers to a request: one token after the other, without pool or engine.</summary>
internal static class Oracle
{
    public static List<GeneratedToken> Generate(GenerationRequest request, HashModel model)
    {
        var sampler = new Sampler(model.Config.VocabSize);
        var sampling = new SequenceSampling(request.Sampling, request.Prompt, request.StopTokenIds, request.MinTokens);
        List<int> tokens = [.. request.Prompt];
        List<GeneratedToken> answer = [];
        while (true)
        {
            float[] logits = HashModel.Logits(tokens.ToArray(), model.Config.Layers, model.Config.VocabSize);
            GeneratedToken token = sampler.Sample(logits, sampling, tokens.Count);
            tokens.Add(token.TokenId);
            sampling.Append(token.TokenId);
            FinishReason reason = request.StopTokenIds.Contains(token.TokenId) ? FinishReason.Stop
                : answer.Count + 1 == request.MaxTokens || tokens.Count == model.Config.MaxPositions ? FinishReason.Length
                : FinishReason.None;
            answer.Add(token with { FinishReason = reason });
            if (reason != FinishReason.None)
            {
                return answer;
            }
        }
    }

    /// <summary>Demands equality to the bit.</summary>
    public static void AssertSame(IReadOnlyList<GeneratedToken> expected, IReadOnlyList<GeneratedToken> actual, string what)
    {
        Assert.True(expected.Select(t => t.TokenId).SequenceEqual(actual.Select(t => t.TokenId)), $"{what}: other tokens");
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i].FinishReason, actual[i].FinishReason);
            Assert.Equal(expected[i].Logprob, actual[i].Logprob);
            Assert.Equal(expected[i].TopLogprobs ?? [], actual[i].TopLogprobs ?? []);
        }
    }
}
