using System.Diagnostics;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Scheduling;
using LlmCluster.Inference.Scheduling.Prediction;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Inference.Engine;

/// <summary>
/// What the engine's thread does: take messages, plan a step, compute it, choose tokens, hand them out; over and over.
/// A failure ends the sequences that it concerns, and the loop goes on.
/// </summary>
internal sealed partial class EngineLoop(
    IModelRunner runner, BlockPool pool, Scheduler scheduler, StepPacer pacer, StepMeter meter, Inbox inbox, TimeSpan queueTimeout, ILogger logger)
{
    // Whatever makes work possible wakes the loop; this is for waits that pass their deadline.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SleepWhileLoading = TimeSpan.FromMilliseconds(20);

    private readonly StepPlan _plan = new();
    private readonly ForwardBatch _batch = new();
    private readonly PrefillObserver _observer = new();
    private readonly Sampler _sampler = new(runner.Config.VocabSize);
    private readonly int _vocabSize = runner.Config.VocabSize;
    private List<Command> _commands = [];
    private float[] _logits = [];

    /// <summary>Runs until the inbox is closed, then ends every sequence and reservation.</summary>
    public void Run()
    {
        while (TakeMessages())
        {
            try
            {
                Step();
            }
            catch (Exception e)
            {
                LogStepFailed(e);
                EndAll(() => new GenerationException(GenerationError.Internal, $"A step of the engine failed: {e.Message}", e));
            }
        }

        EndAll(() => new GenerationException(GenerationError.Unavailable, "The engine was stopped."));
        inbox.Publish(scheduler);
    }

    private bool TakeMessages()
    {
        bool open = inbox.Drain(ref _commands);
        foreach (Command command in _commands)
        {
            switch (command.Kind)
            {
                case CommandKind.Submit:
                    command.Sequence!.QueuedAt = Environment.TickCount64;
                    scheduler.Enqueue(command.Sequence);
                    break;
                case CommandKind.Adopt:
                    scheduler.Adopt(command.Sequence!);
                    break;
                case CommandKind.Cancel:
                    End(command.Sequence!, new OperationCanceledException($"Sequence {command.Sequence!.Request.Id} was cancelled."));
                    break;
                case CommandKind.Reserve:
                    scheduler.Enqueue(command.Reservation!);
                    break;
                default:
                    scheduler.Remove(command.Reservation!);
                    break;
            }
        }

        return open;
    }

    private void Step()
    {
        if (scheduler.Waiting.Count > 0)
        {
            EndOverdue();
        }

        scheduler.Schedule(_plan);
        foreach (Sequence sequence in _plan.Preempted)
        {
            LogPreempted(sequence.Request.Id, sequence.Length);
        }

        foreach (Sequence sequence in _plan.Overgrown)
        {
            End(sequence, new GenerationException(
                GenerationError.Overloaded,
                $"The sequence has grown to {sequence.Length} tokens and needs {sequence.BlocksNeeded} KV blocks; this worker's pool has {pool.BlockCount}."));
        }

        foreach (Sequence sequence in _plan.Admitted)
        {
            sequence.Output.OnAdmitted(sequence, pool);
        }

        inbox.Publish(scheduler);
        if (_plan.Work.Count == 0)
        {
            TimeSpan longest = scheduler.IsLoading ? SleepWhileLoading : LongestSleep;
            inbox.Sleep(queueTimeout < longest ? queueTimeout : longest);
            return;
        }

        long began = Stopwatch.GetTimestamp();
        FillBatch();
        (int decodes, int prefillTokens) = _plan.Count();
        if (TryCompute())
        {
            TakeResults();
            TimeSpan elapsed = Stopwatch.GetElapsedTime(began);
            meter.Observe(decodes, prefillTokens, pacer.DecodeCost, elapsed);
            pacer.Observe(decodes, prefillTokens, elapsed);
        }

        inbox.Publish(scheduler);
    }

    private void EndOverdue()
    {
        long now = Environment.TickCount64;
        foreach (Sequence sequence in scheduler.FindWaiting(s => !s.WasAdmitted && now - s.QueuedAt > queueTimeout.TotalMilliseconds))
        {
            End(sequence, new GenerationException(
                GenerationError.DeadlineExceeded,
                $"The sequence waited {queueTimeout.TotalSeconds:0.###} s for its place among {scheduler.Running.Count} running ones; {pool.Counts.Available} of {pool.BlockCount} KV blocks are available and it needs {sequence.BlocksNeeded}."));
        }
    }

    private void FillBatch()
    {
        _batch.Clear();
        _observer.Clear();
        foreach ((Sequence sequence, int count) in _plan.Work)
        {
            int start = sequence.Computed;
            int end = start + count;
            int blocks = (end + pool.BlockSize - 1) / pool.BlockSize;
            _batch.Add(sequence.Tokens[start..end], start, sequence.Blocks[..blocks], logitRows: end == sequence.Length ? 1 : 0);
            if (sequence.Output is PrefillOutput output)
            {
                int first = start / pool.BlockSize;
                _observer.Add(output, first, blocks - first);
            }
        }

        int needed = _batch.LogitRows * _vocabSize;
        if (_logits.Length < needed)
        {
            _logits = new float[Math.Max(needed, Math.Min(2 * _logits.Length, Array.MaxLength))];
        }
    }

    private bool TryCompute()
    {
        try
        {
            runner.Forward(_batch, _logits.AsSpan(0, _batch.LogitRows * _vocabSize), _observer.IsEmpty ? null : _observer);
            return true;
        }
        catch (Exception e)
        {
            LogForwardFailed(_batch.SequenceCount, e);
            foreach ((Sequence sequence, _) in _plan.Work)
            {
                End(sequence, new GenerationException(GenerationError.Internal, $"The model failed: {e.Message}", e));
            }

            return false;
        }
    }

    private void TakeResults()
    {
        int row = 0;
        foreach ((Sequence sequence, int count) in _plan.Work)
        {
            sequence.Advance(count, pool);
            if (sequence.Output is PrefillOutput { Fault: { } fault })
            {
                row += sequence.Remaining == 0 ? 1 : 0;
                End(sequence, new GenerationException(
                    GenerationError.Internal, $"The receiver of prefill {sequence.Request.Id} failed: {fault.Message}", fault));
            }
            else if (sequence.Remaining == 0)
            {
                ChooseToken(sequence, _logits.AsSpan(row++ * _vocabSize, _vocabSize));
            }
        }
    }

    private void ChooseToken(Sequence sequence, ReadOnlySpan<float> logits)
    {
        GeneratedToken token;
        try
        {
            token = _sampler.Sample(logits, sequence.Sampling, sequence.Length);
        }
        catch (GenerationException e)
        {
            LogSamplingFailed(sequence.Request.Id, e);
            End(sequence, e);
            return;
        }

        token = token with { FinishReason = sequence.Append(token.TokenId) };
        bool ends = token.FinishReason != FinishReason.None || sequence.Output is PrefillOutput;
        if (ends)
        {
            // Before the reader learns of it: who has seen the end sees the blocks given back.
            scheduler.Remove(sequence);
            sequence.Forecast?.Ended(sequence.Generated, token.FinishReason == FinishReason.Length ? OutputEnd.Limit : OutputEnd.Own);
        }

        sequence.Output.OnToken(token);
        if (ends)
        {
            sequence.Output.OnEnded(null);
        }
    }

    private void End(Sequence sequence, Exception error)
    {
        if (scheduler.Remove(sequence))
        {
            bool isComplete = sequence.Output is SequenceGeneration { IsComplete: true };
            sequence.Forecast?.Ended(sequence.Generated, isComplete ? OutputEnd.Own : OutputEnd.Dropped);
            sequence.Output.OnEnded(error);
        }
    }

    private void EndAll(Func<Exception> error)
    {
        foreach (Sequence sequence in scheduler.Running.ToArray())
        {
            End(sequence, error());
        }

        foreach (object waiting in scheduler.Waiting.ToArray())
        {
            if (waiting is Reservation reservation)
            {
                scheduler.Remove(reservation);
                reservation.Fail(error());
            }
            else
            {
                End((Sequence)waiting, error());
            }
        }
    }
}
