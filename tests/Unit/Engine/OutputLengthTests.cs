using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Scheduling.Prediction;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>What the engine learns of output lengths, and tells of them.</summary>
public class OutputLengthTests
{
    [Fact]
    public async Task Outputs_that_end_are_counted_and_those_that_are_broken_off_are_not()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, new EngineOptions());
        GenerationRequest request = Request(Prompt(5), maxTokens: 60);
        List<GeneratedToken> answer = Oracle.Generate(request, model);

        await engine.Submit(request with { StopTokenIds = [answer[4].TokenId] }).ReadToEndAsync();
        Assert.Equal(1, engine.Status.OutputLengths!.Observed);

        // No token can end it: nothing is learnt from that it had its most tokens.
        await engine.Submit(request).ReadToEndAsync();
        await BreakOffAsync(engine, model, request, complete: false);
        Assert.Equal(1, engine.Status.OutputLengths!.Observed);

        await BreakOffAsync(engine, model, request, complete: true);
        Assert.Equal(2, engine.Status.OutputLengths!.Observed);
    }

    [Fact]
    public async Task Predictions_become_right()
    {
        using var model = new HashModel();
        await using var engine = new InferenceEngine(model, new EngineOptions());
        GenerationRequest request = Request(Prompt(5), maxTokens: 60);
        List<GeneratedToken> answer = Oracle.Generate(request, model);
        int end = answer.FindIndex(token => token.TokenId == answer[9].TokenId) + 1;
        for (int i = 0; i < 40; i++)
        {
            await engine.Submit(request with { StopTokenIds = [answer[9].TokenId] }).ReadToEndAsync();
        }

        OutputLengthStatus status = engine.Status.OutputLengths!;
        Assert.Equal((40L, end), (status.Observed, status.Median));
        Assert.InRange(status.Coverage90!.Value, 0.9, 1);
    }

    [Fact]
    public async Task Load_says_how_much_is_predicted_to_be_generated()
    {
        using var model = new HashModel();
        using var gate = new ManualResetEventSlim();
        model.BeforeStep = _ => gate.Wait(Deadline);
        await using var engine = new InferenceEngine(model, new EngineOptions());
        IGeneration generation = engine.Submit(Request(Prompt(5), maxTokens: 30));
        await UntilAsync(() => engine.Status.Running == 1, "the sequence running");
        EngineStatus status = engine.Status;
        Assert.Equal(30, status.PredictedTokens);

        // K/V of the last token is never needed.
        Assert.Equal((5 + 30 - 1 + 3) / 4, status.PredictedBlocks);
        gate.Set();
        await generation.ReadToEndAsync();
        await UntilAsync(() => engine.Status is { PredictedTokens: 0, PredictedBlocks: 0 }, "nothing left to generate");
    }

    private static async Task BreakOffAsync(InferenceEngine engine, HashModel model, GenerationRequest request, bool complete)
    {
        // Steps wait, so that it does not come to its limit before it is broken off.
        using var steps = new SemaphoreSlim(2);
        model.BeforeStep = _ => steps.Wait(Deadline);
        IGeneration generation = engine.Submit(request with { StopTokenIds = [1000] });
        await foreach (GeneratedToken _ in generation.ReadAllAsync())
        {
            break;
        }

        if (complete)
        {
            generation.Complete();
        }

        ValueTask ended = generation.DisposeAsync();
        steps.Release(1000);
        await ended;
    }
}
