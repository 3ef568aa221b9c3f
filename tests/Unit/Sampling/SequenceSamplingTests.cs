using LlmCluster.Inference.Sampling;
using Xunit;
using static LlmCluster.Tests.Unit.Sampling.SamplerTests;

namespace LlmCluster.Tests.Unit.Sampling;

public class SequenceSamplingTests
{
    [Fact]
    public void Repetition_penalty_covers_prompt_and_answer_once_each()
    {
        float[] logits = [2, -2, 2, -2, 0];
        State(new SamplingOptions { RepetitionPenalty = 2 }, prompt: [0, 0, 1], answer: [1, 3, 3]).Adjust(logits);
        Assert.Equal([1, -4, 2, -4, 0], logits);
    }

    [Fact]
    public void Presence_and_frequency_penalties_cover_the_answer_alone()
    {
        float[] logits = [5, 5, 5, 5];
        State(new SamplingOptions { PresencePenalty = 1, FrequencyPenalty = 0.5f }, prompt: [0], answer: [1, 2, 2, 2]).Adjust(logits);
        Assert.Equal([5, 3.5f, 2.5f, 5], logits);
    }

    [Fact]
    public void Bias_is_added_after_penalties()
    {
        float[] logits = [4, 4];
        var options = new SamplingOptions { RepetitionPenalty = 2, LogitBias = new Dictionary<int, float> { [0] = 3, [1] = -1 } };
        State(options, prompt: [0]).Adjust(logits);
        Assert.Equal([5, 3], logits);
    }

    [Fact]
    public void Stop_tokens_are_masked_until_the_answer_is_long_enough()
    {
        SequenceSampling state = State(new SamplingOptions(), stop: [1, 3, 99], minTokens: 2);
        for (int generated = 0; generated < 2; generated++)
        {
            float[] logits = [1, 1, 1, 1];
            Assert.True(state.AdjustsLogits);
            state.Adjust(logits);
            Assert.Equal([1, float.NegativeInfinity, 1, float.NegativeInfinity], logits);
            state.Append(0);
        }

        Assert.False(state.AdjustsLogits);
    }

    [Fact]
    public void Plain_options_leave_logits_alone()
    {
        SequenceSampling state = State(new SamplingOptions(), prompt: [1, 2], answer: [3], stop: [1]);
        Assert.False(state.AdjustsLogits);
    }

    [Fact]
    public void The_first_token_has_no_presence_or_frequency_penalty()
    {
        SequenceSampling state = State(new SamplingOptions { PresencePenalty = 1 }, prompt: [1]);
        Assert.False(state.AdjustsLogits);
        state.Append(1);
        Assert.True(state.AdjustsLogits);
    }
}
