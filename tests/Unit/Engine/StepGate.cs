using LlmCluster.Inference.Execution;
using Xunit;
using static LlmCluster.Tests.Unit.Engine.EngineTestExtensions;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>Holds a model's steps until the test lets them go, so that a test can act between two steps.</summary>
internal sealed class StepGate
{
    private readonly SemaphoreSlim _allowed = new(0);
    private int _entered;
    private volatile bool _open;

    public StepGate(HashModel model) => model.BeforeStep = Enter;

    /// <summary>Lets so many steps go.</summary>
    public void Allow(int steps) => _allowed.Release(steps);

    /// <summary>Lets all steps go from now on.</summary>
    public void Open()
    {
        _open = true;
        _allowed.Release();
    }

    /// <summary>Waits until the engine is about to compute that step, counted from 1.</summary>
    public Task AtStepAsync(int step) => UntilAsync(() => Volatile.Read(ref _entered) >= step, $"step {step}");

    private void Enter(ForwardBatch batch)
    {
        Interlocked.Increment(ref _entered);
        if (!_open)
        {
            Assert.True(_allowed.Wait(Deadline), "The test never let the step go.");
        }
    }
}
