using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Scheduling;
using LlmCluster.Inference.Scheduling.Prediction;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmCluster.Inference.Engine;

/// <summary>
/// The engine: one dedicated thread that computes one step at a time. Other threads leave messages and never wait for
/// it. Disposing it ends every sequence with an error, once the step under way is done; the runner stays its owner's.
/// </summary>
public sealed class InferenceEngine : IInferenceEngine
{
    private static readonly TimeSpan DefaultFlushLimit = TimeSpan.FromSeconds(5);

    // More than all that Close may wait for.
    private static readonly TimeSpan CloseMargin = TimeSpan.FromSeconds(25);

    private readonly Inbox _inbox = new();
    private readonly StepMeter _meter = new();
    private readonly KvTiers? _tiers;
    private readonly ILogger _logger;
    private readonly OutputLengthPredictor _predictor = new();
    private readonly LengthCalibration _calibration = new();
    private readonly double _admissionQuantile;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts an engine.</summary>
    /// <param name="runner">The model; used by the engine's thread alone until the engine is disposed.</param>
    /// <param name="options">Limits.</param>
    /// <param name="logger">Where failures are reported.</param>
    /// <param name="tiers">Where evicted KV blocks go; by default they are lost.</param>
    /// <param name="held">Told of the blocks that pool and tiers hold; none: nobody wants to know.</param>
    /// <exception cref="IOException">The tiers' folder can't be used.</exception>
    /// <exception cref="ArgumentException">The options leave no room for prefill, or a limit is not positive.</exception>
    public InferenceEngine(IModelRunner runner, EngineOptions options, ILogger? logger = null, KvTierOptions? tiers = null, HeldBlocks? held = null)
    {
        ArgumentNullException.ThrowIfNull(runner);
        ArgumentNullException.ThrowIfNull(options);
        int blockSize = runner.KvStore.Layout.BlockSize;
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxRunning);
        if (options.MaxBatchTokens < options.MaxRunning + blockSize)
        {
            throw new ArgumentException(
                $"MaxBatchTokens is {options.MaxBatchTokens}; with MaxRunning {options.MaxRunning} and blocks of {blockSize} tokens it must be at least {options.MaxRunning + blockSize}.",
                nameof(options));
        }

        if (options.QueueTimeout <= TimeSpan.Zero)
        {
            throw new ArgumentException($"QueueTimeout is {options.QueueTimeout}; it must be positive.", nameof(options));
        }

        if (options.QueueAgeing <= TimeSpan.Zero)
        {
            throw new ArgumentException($"QueueAgeing is {options.QueueAgeing}; it must be positive.", nameof(options));
        }

        if (options.MaxStepTime < TimeSpan.Zero)
        {
            throw new ArgumentException($"MaxStepTime is {options.MaxStepTime}; it must not be negative.", nameof(options));
        }

        if (options.AdmissionQuantile is not (>= 0 and < 1))
        {
            throw new ArgumentException($"AdmissionQuantile is {options.AdmissionQuantile}; it must be 0 (off), or over 0 and below 1.", nameof(options));
        }

        _admissionQuantile = options.AdmissionQuantile;
        Runner = runner;
        Pool = new BlockPool(runner.KvStore.BlockCount, blockSize) { Held = held };
        _logger = logger ?? NullLogger.Instance;
        _tiers = tiers is { IsEnabled: true } ? new KvTiers(Pool, runner.KvStore, runner.Fingerprint, tiers, _inbox.Wake, _logger) : null;
        Pool.Released += _inbox.Wake;
        var pacer = new StepPacer(options.MaxStepTime);
        var scheduler = new Scheduler(Pool, options.MaxBatchTokens, options.MaxRunning, pacer, Policy(options, pacer), _tiers);
        var loop = new EngineLoop(runner, Pool, scheduler, pacer, _meter, _inbox, options.QueueTimeout, _logger);
        var thread = new Thread(() =>
        {
            loop.Run();
            _stopped.SetResult();
        })
        {
            Name = "inference-engine",
            IsBackground = true,
        };
        thread.Start();
    }

    /// <inheritdoc/>
    public IModelRunner Runner { get; }

    /// <inheritdoc/>
    public BlockPool Pool { get; }

    /// <inheritdoc/>
    public EngineStatus Status => _inbox.Status(Pool.Counts) with
    {
        PrefillRate = _meter.PrefillRate,
        PrefillAge = _meter.PrefillAge,
        StepTime = _meter.StepTime,
        StepAge = _meter.StepAge,
        OutputLengths = _calibration.Status(_predictor.Predict(new RequestShape(Runner.Fingerprint, 0, RequestKind.Unknown, 0, Model.MaxPositions), 0.5)),
    };

    /// <inheritdoc/>
    public KvTierStatus? Tiers => _tiers?.Status;

    private ModelConfig Model => Runner.Config;

    private static IQueuePolicy Policy(EngineOptions options, StepPacer pacer) => options.Queue switch
    {
        QueueOrder.Arrival => new FirstComeFirstServed(),
        QueueOrder.Shortest => new ShortestUncachedFirst(options.QueueAgeing, () => pacer.DecodeCost),
        QueueOrder.Priority => new PriorityFirst(options.QueueAgeing),
        _ => throw new ArgumentException($"Queue is {options.Queue}; expected one of {string.Join(", ", Enum.GetNames<QueueOrder>())}.", nameof(options)),
    };

    /// <inheritdoc/>
    public IGeneration Submit(GenerationRequest request) => Submit(request, prefix: null);

    /// <inheritdoc/>
    public IGeneration Submit(GenerationRequest request, BlockLease? prefix)
    {
        try
        {
            RequestValidator.Validate(request, Model, Pool);
            var generation = new SequenceGeneration(request, Cancel);
            generation.Sequence = NewSequence(request, generation, canBePreempted: true);
            generation.Sequence.Prefix = prefix;
            PostOrThrow(Command.For(CommandKind.Submit, generation.Sequence));
            return generation;
        }
        catch
        {
            prefix?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void SubmitPrefill(GenerationRequest request, IPrefillSink sink, CancellationToken cancellationToken) =>
        SubmitPrefill(request, prefix: null, sink, cancellationToken);

    /// <inheritdoc/>
    public void SubmitPrefill(GenerationRequest request, BlockLease? prefix, IPrefillSink sink, CancellationToken cancellationToken)
    {
        PrefillOutput output;
        Sequence sequence;
        try
        {
            ArgumentNullException.ThrowIfNull(sink);
            RequestValidator.Validate(request, Model, Pool);
            output = new PrefillOutput(request, sink, _logger);
            sequence = NewSequence(request, output, canBePreempted: false);
            sequence.Prefix = prefix;
            PostOrThrow(Command.For(CommandKind.Submit, sequence));
        }
        catch
        {
            prefix?.Dispose();
            throw;
        }

        output.Attach(cancellationToken.UnsafeRegister(
            state => _inbox.Post(Command.For(CommandKind.Cancel, (Sequence)state!)), sequence));
    }

    /// <inheritdoc/>
    public async ValueTask<(BlockLease Blocks, int CachedBlocks)> ReserveAsync(
        BlockHash[] prefix, int blockCount, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockCount);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockCount, prefix.Length);
        if (blockCount > Pool.BlockCount)
        {
            throw new GenerationException(
                GenerationError.InvalidRequest, $"The prompt takes {blockCount} KV blocks; this worker's pool has {Pool.BlockCount}.");
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (_inbox.NobodyWaits(out int keepAvailable)
            && Pool.TryReserve(prefix, blockCount, out int cachedBlocks, keepAvailable) is { } blocks)
        {
            return (blocks, await LoadAsync(prefix, blocks, cachedBlocks, cancellationToken).ConfigureAwait(false));
        }

        var reservation = new Reservation(prefix, blockCount);
        PostOrThrow(Command.For(CommandKind.Reserve, reservation));
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(
            (state, token) =>
            {
                ((Reservation)state!).Cancel(token);
                _inbox.Post(Command.For(CommandKind.CancelReservation, (Reservation)state));
            },
            reservation);
        (blocks, cachedBlocks) = await reservation.Granted.ConfigureAwait(false);
        return (blocks, await LoadAsync(prefix, blocks, cachedBlocks, cancellationToken).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public async ValueTask<(BlockLease Blocks, int CachedBlocks)?> TryReserveAsync(BlockHash[] prefix, int blockCount, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _inbox.PredictedNeed(Pool.BlockSize) is { } need && Pool.TryReserve(prefix, blockCount, out int cachedBlocks, need) is { } blocks
            ? (blocks, await LoadAsync(prefix, blocks, cachedBlocks, cancellationToken).ConfigureAwait(false))
            : null;
    }

    /// <inheritdoc/>
    public IGeneration Adopt(GenerationRequest request, BlockLease blocks, GeneratedToken firstToken, int cachedTokens)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        try
        {
            RequestValidator.Validate(request, Model, Pool);
            ArgumentOutOfRangeException.ThrowIfNegative(firstToken.TokenId, nameof(firstToken));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(firstToken.TokenId, Model.VocabSize, nameof(firstToken));
            var generation = new SequenceGeneration(request, Cancel) { CachedTokens = cachedTokens };
            Sequence sequence = NewSequence(request, generation, canBePreempted: true);
            generation.Sequence = sequence;
            if (blocks.Blocks.Length != sequence.BlocksNeeded)
            {
                throw new ArgumentException(
                    $"The prompt of {sequence.Length} tokens takes {sequence.BlocksNeeded} KV blocks; the lease holds {blocks.Blocks.Length}.",
                    nameof(blocks));
            }

            Start(generation, blocks, firstToken);
            return generation;
        }
        finally
        {
            // Nothing is left in it when the sequence has taken the blocks over.
            blocks.Dispose();
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => StopAsync(DefaultFlushLimit);

    /// <inheritdoc/>
    public async ValueTask StopAsync(TimeSpan flushLimit)
    {
        _inbox.Close();
        await _stopped.Task.ConfigureAwait(false);
        Pool.Released -= _inbox.Wake;
        if (_tiers is not null)
        {
            try
            {
                await Task.Run(() => _tiers.Close(flushLimit)).WaitAsync(flushLimit + CloseMargin).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                // A disk that hangs holds nobody up for ever.
            }
        }
    }

    private ValueTask<int> LoadAsync(BlockHash[] prefix, BlockLease blocks, int cachedBlocks, CancellationToken cancellationToken) =>
        _tiers is null ? new ValueTask<int>(cachedBlocks) : _tiers.LoadAsync(prefix, blocks, cachedBlocks, cancellationToken);

    // The first token and the prompt's blocks are there: the reader and the cache need not wait for a step.
    private void Start(SequenceGeneration generation, BlockLease blocks, GeneratedToken firstToken)
    {
        Sequence sequence = generation.Sequence;
        sequence.TakeComputedBlocks(blocks, Pool);
        FinishReason reason = sequence.Append(firstToken.TokenId);
        if (firstToken.FinishReason == FinishReason.None)
        {
            firstToken = firstToken with { FinishReason = reason };
        }

        if (firstToken.FinishReason != FinishReason.None)
        {
            sequence.State = SequenceState.Ended;
            sequence.ReleaseBlocks(Pool);
            sequence.Forecast?.Ended(sequence.Generated, firstToken.FinishReason == FinishReason.Length ? OutputEnd.Limit : OutputEnd.Own);
            generation.OnToken(firstToken);
            generation.OnEnded(null);
            return;
        }

        generation.OnToken(firstToken);
        try
        {
            PostOrThrow(Command.For(CommandKind.Adopt, sequence));
        }
        catch (GenerationException)
        {
            sequence.ReleaseBlocks(Pool);
            throw;
        }
    }

    private Sequence NewSequence(GenerationRequest request, ISequenceOutput output, bool canBePreempted) => new(
        request,
        BlockHash.Root(Runner.Fingerprint, cacheSalt: request.CacheSalt),
        Pool.BlockSize,
        Model.MaxPositions,
        output,
        canBePreempted,
        canBePreempted ? NewForecast(request) : null);

    private SequenceForecast NewForecast(GenerationRequest request)
    {
        int maxTokens = Math.Min(request.MaxTokens, Model.MaxPositions - request.Prompt.Length);
        var shape = new RequestShape(Runner.Fingerprint, RequestShape.TenantKey(request.Tenant), request.Kind, request.Prompt.Length, maxTokens);
        return new SequenceForecast(_predictor, _calibration, shape, request.MinTokens, request.StopTokenIds.Count > 0, _admissionQuantile);
    }

    private void Cancel(SequenceGeneration generation) => _inbox.Post(Command.For(CommandKind.Cancel, generation.Sequence));

    private void PostOrThrow(Command command)
    {
        if (!_inbox.Post(command))
        {
            throw new GenerationException(GenerationError.Unavailable, "The engine was stopped.");
        }
    }
}
