using System.Diagnostics;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;

namespace LlmCluster.Bench.Prefix;

/// <summary>
/// What the prefix cache saves: the time to the first token of a prompt that is new, and of one that begins like it, through an engine that does
/// nothing else.
/// </summary>
public sealed class PrefixBenchmark
{
    private readonly PrefixBenchmarkOptions _options;
    private readonly InferenceEngine _engine;
    private readonly Random _random = new(1);
    private int _sequences;

    private PrefixBenchmark(PrefixBenchmarkOptions options, InferenceEngine engine)
    {
        _options = options;
        _engine = engine;
    }

    /// <summary>Makes the model and measures.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Told what is going on.</param>
    /// <param name="cancellationToken">Ends the benchmark.</param>
    /// <exception cref="ArgumentException">The options are out of range, or a prompt does not fit the model.</exception>
    public static async Task<PrefixBenchmarkResult> RunAsync(PrefixBenchmarkOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        options.Validate();
        progress.Report("making random weights");
        using var random = RandomModel.Create(ModelArchitecture.Llama, options.Preset, options.Weights, cancellationToken);
        using Checkpoint checkpoint = Checkpoint.Open(random.Directory);
        if (options.PromptTokens >= checkpoint.Config.MaxPositions)
        {
            throw new ArgumentException($"A prompt of {options.PromptTokens} tokens exceeds the model's context of {checkpoint.Config.MaxPositions}.");
        }

        using CpuModel model = CpuModel.Load(checkpoint, new CpuOptions { Threads = options.Threads, Weights = options.Weights });
        using var runner = new CpuModelRunner(model, 4 * model.KvLayout.BlocksFor(options.PromptTokens + 1));
        var engine = new InferenceEngine(runner, new EngineOptions());
        await using (engine.ConfigureAwait(false))
        {
            return await new PrefixBenchmark(options, engine).MeasureAsync(progress, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<PrefixBenchmarkResult> MeasureAsync(IProgress<string> progress, CancellationToken cancellationToken)
    {
        var cold = new List<double>();
        var hit = new List<double>();
        int cached = 0;
        for (int run = 0; run <= _options.Runs; run++)
        {
            progress.Report(run == 0 ? "warming up" : $"run {run} of {_options.Runs}");
            int[] prompt = RandomTokens(_options.PromptTokens);
            int[] alike = [.. prompt[.._options.SharedTokens], .. RandomTokens(_options.PromptTokens - _options.SharedTokens)];
            (double first, int nothing) = await FirstTokenAsync(prompt, cancellationToken).ConfigureAwait(false);
            (double second, cached) = await FirstTokenAsync(alike, cancellationToken).ConfigureAwait(false);
            int blockSize = _engine.Pool.BlockSize;
            if (nothing != 0 || cached < _options.SharedTokens / blockSize * blockSize)
            {
                throw new InvalidOperationException($"The first prompt found {nothing} tokens in the cache instead of 0, the second {cached} of {_options.SharedTokens}.");
            }

            if (run > 0)
            {
                cold.Add(Math.Round(first, 1));
                hit.Add(Math.Round(second, 1));
            }
        }

        return new PrefixBenchmarkResult
        {
            PromptTokens = _options.PromptTokens,
            SharedTokens = _options.SharedTokens,
            CachedTokens = cached,
            Threads = _options.Threads,
            ColdRuns = cold,
            HitRuns = hit,
        };
    }

    private async Task<(double Milliseconds, int CachedTokens)> FirstTokenAsync(int[] prompt, CancellationToken cancellationToken)
    {
        long began = Stopwatch.GetTimestamp();
        IGeneration generation = _engine.Submit(new GenerationRequest
        {
            Id = $"prefix-{++_sequences}",
            Prompt = prompt,
            Sampling = new SamplingOptions { Temperature = 0 },
            MaxTokens = 1,
        });
        await using (generation.ConfigureAwait(false))
        {
            await foreach (GeneratedToken _ in generation.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                return (Stopwatch.GetElapsedTime(began).TotalMilliseconds, generation.CachedTokens);
            }
        }

        throw new InvalidOperationException("A prompt was not answered.");
    }

    private int[] RandomTokens(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(_engine.Runner.Config.VocabSize))];
}
