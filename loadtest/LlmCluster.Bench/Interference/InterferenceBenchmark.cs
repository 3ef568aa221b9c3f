using System.Diagnostics;
using LlmCluster.Bench.Statistics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;

namespace LlmCluster.Bench.Interference;

/// <summary>
/// What long prompts do to streams that are running: the time between the tokens of a batch of decodes, first alone and then while prompts arrive one after the
/// other. On a mixed worker that computes a prompt in one step, on one that computes it in chunks as short as a limit on the step's time asks for, and on a
/// prefill and a decode worker that share the threads. Prompts are never in a cache.
/// </summary>
public sealed class InterferenceBenchmark
{
    private const double AutomaticStep = 1.6;
    private const int FirstTokens = 10;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private readonly InterferenceBenchmarkOptions _options;
    private readonly ModelConfig _config;
    private readonly int _blockCount;
    private int _seed;

    private InterferenceBenchmark(InterferenceBenchmarkOptions options, CpuModel model)
    {
        _options = options;
        _config = model.Config;
        int sequences = model.KvLayout.BlocksFor(_config.MaxPositions) * options.Streams;
        _blockCount = sequences + (2 * model.KvLayout.BlocksFor(options.PromptTokens + 1));
    }

    /// <summary>Makes the model and measures.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Told what is going on.</param>
    /// <param name="cancellationToken">Ends the benchmark.</param>
    /// <exception cref="ArgumentException">The options are out of range, or a prompt does not fit the model.</exception>
    public static async Task<InterferenceBenchmarkResult> RunAsync(
        InterferenceBenchmarkOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        options.Validate();
        progress.Report("making random weights");
        using var random = RandomModel.Create(ModelArchitecture.Llama, options.Preset, options.Weights, cancellationToken);
        using Checkpoint checkpoint = Checkpoint.Open(random.Directory);
        int longest = Math.Max(options.PromptTokens, options.StreamPromptTokens);
        if (longest >= checkpoint.Config.MaxPositions)
        {
            throw new ArgumentException($"A prompt of {longest} tokens exceeds the model's context of {checkpoint.Config.MaxPositions}.");
        }

        int half = Math.Max(1, options.Threads / 2);
        using CpuModel whole = CpuModel.Load(checkpoint, new CpuOptions { Threads = options.Threads, Weights = options.Weights });
        using CpuModel shared = CpuModel.Load(checkpoint, new CpuOptions { Threads = half, Weights = options.Weights });
        return await new InterferenceBenchmark(options, whole).MeasureAsync(whole, shared, progress, cancellationToken).ConfigureAwait(false);
    }

    private async Task<InterferenceBenchmarkResult> MeasureAsync(CpuModel whole, CpuModel half, IProgress<string> progress, CancellationToken cancellationToken)
    {
        int maxBatch = _config.MaxPositions + _options.Streams + whole.KvLayout.BlockSize;
        var inOneStep = new EngineOptions { MaxBatchTokens = maxBatch, MaxRunning = _options.Streams + 1, MaxStepTime = TimeSpan.Zero };
        var runs = new Dictionary<string, List<InterferenceMode.Run>> { ["whole"] = [], ["chunked"] = [], ["separated"] = [] };
        for (int run = 1; run <= _options.Runs; run++)
        {
            progress.Report($"run {run} of {_options.Runs}: prompts in one step");
            InterferenceMode.Run first = await MeasureAsync(new MixedRig(whole, _blockCount, inOneStep), cancellationToken).ConfigureAwait(false);
            runs["whole"].Add(first);

            progress.Report($"run {run} of {_options.Runs}: prompts in chunks");
            TimeSpan step = _options.StepTime > TimeSpan.Zero ? _options.StepTime : TimeSpan.FromMilliseconds(AutomaticStep * first.QuietP50);
            var chunked = new MixedRig(whole, _blockCount, new EngineOptions { MaxRunning = _options.Streams + 1, MaxStepTime = step });
            runs["chunked"].Add(await MeasureAsync(chunked, cancellationToken).ConfigureAwait(false));

            progress.Report($"run {run} of {_options.Runs}: prefill and decode apart");
            SeparatedRig separated = await SeparatedRig.StartAsync(
                half, _blockCount, new EngineOptions { MaxRunning = _options.Streams + 1 }, cancellationToken).ConfigureAwait(false);
            runs["separated"].Add(await MeasureAsync(separated, cancellationToken).ConfigureAwait(false));
        }

        return new InterferenceBenchmarkResult
        {
            Streams = _options.Streams,
            PromptTokens = _options.PromptTokens,
            Prompts = _options.Prompts,
            Threads = _options.Threads,
            Modes = runs.ToDictionary(static pair => pair.Key, static pair => new InterferenceMode { Runs = pair.Value }),
        };
    }

    private async Task<InterferenceMode.Run> MeasureAsync(IRig rig, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Longest);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(limit.Token);
        await using (rig.ConfigureAwait(false))
        {
            var streams = new List<TokenStream>();
            for (int i = 0; i < _options.Streams; i++)
            {
                streams.Add(new TokenStream(token => rig.StartAsync(Request(_options.StreamPromptTokens, _config.MaxPositions), token), end.Token));
            }

            // One that fails ends all of them, so that this is known at once.
            Task reading = Task.WhenAll(streams.Select(stream => Task.Run(async () =>
            {
                try
                {
                    await stream.ReadAsync().ConfigureAwait(false);
                }
                catch
                {
                    await end.CancelAsync().ConfigureAwait(false);
                    throw;
                }
            })));
            try
            {
                return await MeasureAsync(rig, streams, reading, limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw new TimeoutException($"One way of serving was not measured within {Longest}; measure fewer or shorter prompts.", e);
            }
            finally
            {
                await end.CancelAsync().ConfigureAwait(false);
                await reading.ConfigureAwait(false);
            }
        }
    }

    private async Task<InterferenceMode.Run> MeasureAsync(IRig rig, List<TokenStream> streams, Task reading, CancellationToken cancellationToken)
    {
        // A prompt before anything counts: code is compiled, and a prompt's cost is known.
        await FirstTokenAsync(rig, cancellationToken).ConfigureAwait(false);
        while (!streams.TrueForAll(static stream => stream.HasTokens(FirstTokens)) && !reading.IsCompleted)
        {
            await Task.Delay(Poll, cancellationToken).ConfigureAwait(false);
        }

        await Task.Delay(_options.Pause, cancellationToken).ConfigureAwait(false);
        long start = Stopwatch.GetTimestamp();
        double[] quiet = await GapsAsync(streams, start, _options.Quiet, reading, cancellationToken).ConfigureAwait(false);

        var busy = new List<double>();
        var firstTokens = new List<double>();
        for (int i = 0; i < _options.Prompts; i++)
        {
            long arrival = Stopwatch.GetTimestamp();
            firstTokens.Add(await FirstTokenAsync(rig, cancellationToken).ConfigureAwait(false));

            // The gap in which the prompt's last chunk was computed ends a little later.
            var rest = TimeSpan.FromMilliseconds(Percentile.Of(quiet, 0.5));
            busy.AddRange(await GapsAsync(streams, arrival, rest, reading, cancellationToken).ConfigureAwait(false));
            await Task.Delay(_options.Pause, cancellationToken).ConfigureAwait(false);
        }

        if (reading.IsCompleted)
        {
            await reading.ConfigureAwait(false);
        }

        return new InterferenceMode.Run(
            Percentile.Of(quiet, 0.5), Percentile.Of(quiet, 0.99), Percentile.Of(busy, 0.5), Percentile.Of(busy, 0.99), Percentile.Of(firstTokens, 0.5));
    }

    // Gaps that ended from then on until some time has passed, or until every stream has had one: a process may stand still for longer than that.
    private static async Task<double[]> GapsAsync(List<TokenStream> streams, long from, TimeSpan wait, Task reading, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(wait, cancellationToken).ConfigureAwait(false);
            long to = Stopwatch.GetTimestamp();
            double[][] gaps = [.. streams.Select(stream => stream.Gaps(from, to).ToArray())];
            if (gaps.All(static one => one.Length > 0) || reading.IsCompleted)
            {
                return [.. gaps.SelectMany(static one => one)];
            }

            wait = Poll;
        }
    }

    private async Task<double> FirstTokenAsync(IRig rig, CancellationToken cancellationToken)
    {
        long arrival = Stopwatch.GetTimestamp();
        IGeneration generation = await rig.StartAsync(Request(_options.PromptTokens, maxTokens: 1), cancellationToken).ConfigureAwait(false);
        await using (generation.ConfigureAwait(false))
        {
            await foreach (GeneratedToken _ in generation.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                return Stopwatch.GetElapsedTime(arrival).TotalMilliseconds;
            }
        }

        throw new InvalidOperationException("A prompt was not answered.");
    }

    private GenerationRequest Request(int promptTokens, int maxTokens)
    {
        int seed = Interlocked.Increment(ref _seed);
        var random = new Random(seed);
        return new GenerationRequest
        {
            Id = $"interference-{seed}",
            Prompt = [.. Enumerable.Range(0, promptTokens).Select(_ => random.Next(_config.VocabSize))],
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = maxTokens,
            IgnoreEos = true,
        };
    }
}
