using System.Diagnostics;
using System.Numerics.Tensors;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Bench.Engine;

/// <summary>
/// Measures prefill and greedy decode of the CPU backend: forward passes of the model runner over sequences with block
/// tables of their own, the choice of the likeliest token included.
/// </summary>
public sealed class EngineBenchmark
{
    private const double UndisturbedShare = 0.1;
    private const int StepsBetweenReads = 8;

    // Until the threads of whatever ran before have gone to sleep.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(1);

    private readonly EngineBenchmarkOptions _options;
    private readonly CpuModelRunner _runner;
    private readonly ForwardBatch _batch = new();
    private readonly int[][] _prompts;
    private readonly int[][] _blockTables;
    private readonly int[] _next;
    private readonly float[] _logits;

    private EngineBenchmark(EngineBenchmarkOptions options, CpuModelRunner runner)
    {
        _options = options;
        _runner = runner;
        int vocabulary = runner.Config.VocabSize;
        int blocks = BlocksPerSequence(options, runner.KvStore.Layout.BlockSize);
        _prompts = [.. Enumerable.Range(0, options.Parallel).Select(s =>
            Enumerable.Range(0, options.PromptTokens).Select(i => (int)((i + s) * 7919L % vocabulary)).ToArray())];
        _blockTables = [.. Enumerable.Range(0, options.Parallel).Select(s => Enumerable.Range(s * blocks, blocks).ToArray())];
        _next = new int[options.Parallel];
        _logits = new float[options.Parallel * vocabulary];
    }

    /// <summary>Makes or opens the model, warms up and measures.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Told what is going on.</param>
    /// <param name="cancellationToken">Ends the benchmark between forward passes.</param>
    /// <exception cref="ArgumentException">The options are out of range, or the sequences don't fit the model.</exception>
    public static EngineBenchmarkResult Run(EngineBenchmarkOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (options.ModelDirectory is { } directory)
        {
            return Measure(options, directory, progress, cancellationToken);
        }

        progress.Report("making random weights");
        using var random = RandomModel.Create(options.Architecture, options.Preset, options.Weights ?? WeightDtype.BF16, cancellationToken);
        return Measure(options, random.Directory, progress, cancellationToken);
    }

    private static EngineBenchmarkResult Measure(
        EngineBenchmarkOptions options, string directory, IProgress<string> progress, CancellationToken cancellationToken)
    {
        progress.Report("packing the weights");
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        if (options.PromptTokens + options.NewTokens > checkpoint.Config.MaxPositions)
        {
            throw new ArgumentException(
                $"{options.PromptTokens} prompt tokens and {options.NewTokens} new ones exceed the model's context of {checkpoint.Config.MaxPositions}.");
        }

        long began = Stopwatch.GetTimestamp();
        var cpu = new CpuOptions
        {
            Threads = options.Threads,
            Affinity = options.Affinity,
            Isa = options.Isa,
            Weights = options.Weights,
            Kv = options.Kv,
            PrefetchWeights = options.PrefetchWeights,
        };
        using CpuModel model = CpuModel.Load(checkpoint, cpu);
        double load = Stopwatch.GetElapsedTime(began).TotalSeconds;
        using var runner = new CpuModelRunner(model, options.Parallel * BlocksPerSequence(options, cpu.BlockSize));
        using var team = new ThreadTeam(cpu.ThreadCount, cpu.Processors);
        using ThreadTeam.CallerScope pinned = team.PinCaller();
        using var products = new LayerProducts(model, team);
        using var memory = new ReadBandwidth(team);
        var multiplyAdds = new FmaPeak(model.Isa, team);
        var benchmark = new EngineBenchmark(options, runner);
        var prefill = new List<double>();
        var decode = new List<double>();
        var peaks = new List<MachinePeak>();
        for (int run = 0; run <= options.Runs; run++)
        {
            progress.Report(run == 0 ? "warming up" : $"run {run} of {options.Runs}");

            // What is compared was measured within moments.
            ProductSamples samples = products.Measure(multiplyAdds, cancellationToken);
            double prefillRate = benchmark.Prefill(cancellationToken);
            (double decodeRate, double bandwidth) = benchmark.Decode(memory, cancellationToken);
            if (run > 0)
            {
                double decodeBytes = model.WeightBytes * decodeRate / options.Parallel / 1e9;
                peaks.Add(new MachinePeak(samples.Reached(UndisturbedShare), samples.Reached(0.5), bandwidth, decodeBytes));
                prefill.Add(Math.Round(prefillRate, 1));
                decode.Add(Math.Round(decodeRate, 1));
            }
        }

        return new EngineBenchmarkResult
        {
            Preset = options.ModelDirectory ?? ModelPresets.ByName.First(p => p.Value == options.Preset).Key,
            Architecture = checkpoint.Config.Architecture.ToString().ToLowerInvariant(),
            Threads = model.Options.ThreadCount,
            Dtype = model.Weights.ToString().ToLowerInvariant(),
            KvDtype = model.KvLayout.Dtype.ToString().ToLowerInvariant(),
            Isa = model.Isa.ToString().ToLowerInvariant(),
            PromptTokens = options.PromptTokens,
            NewTokens = options.NewTokens,
            Parallel = options.Parallel,
            ChunkTokens = options.ChunkTokens,
            Runs = options.Runs,
            LoadSeconds = Math.Round(load, 2),
            PrefillRuns = prefill,
            DecodeRuns = decode,
            Peaks = peaks,
        };
    }

    private static int BlocksPerSequence(EngineBenchmarkOptions options, int blockSize) =>
        (options.PromptTokens + options.NewTokens + blockSize - 1) / blockSize;

    private double Prefill(CancellationToken cancellationToken)
    {
        int vocabulary = _runner.Config.VocabSize;
        long began = Stopwatch.GetTimestamp();
        for (int s = 0; s < _prompts.Length; s++)
        {
            for (int start = 0; start < _options.PromptTokens; start += _options.ChunkTokens)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int count = Math.Min(_options.ChunkTokens, _options.PromptTokens - start);
                _batch.Clear();
                _batch.Add(_prompts[s].AsSpan(start, count), start, _blockTables[s], start + count == _options.PromptTokens ? 1 : 0);
                _runner.Forward(_batch, _logits);
            }

            _next[s] = TensorPrimitives.IndexOfMax(_logits.AsSpan(0, vocabulary));
        }

        return (double)_options.Parallel * _options.PromptTokens / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    // Tokens per second, and the bandwidth that there was meanwhile: memory is read before, after and between steps, as what a shared machine gives changes.
    private (double Rate, double Bandwidth) Decode(ReadBandwidth memory, CancellationToken cancellationToken)
    {
        long ticks = 0;
        double readSeconds = memory.Read();
        int reads = 1;
        for (int step = 0; step < _options.NewTokens;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Thread.Sleep(Pause);
            int end = Math.Min(step + StepsBetweenReads, _options.NewTokens);
            long began = Stopwatch.GetTimestamp();
            for (; step < end; step++)
            {
                DecodeStep(_options.PromptTokens + step);
            }

            ticks += Stopwatch.GetTimestamp() - began;
            Thread.Sleep(Pause);
            readSeconds += memory.Read();
            reads++;
        }

        double seconds = (double)ticks / Stopwatch.Frequency;
        return ((double)_options.Parallel * _options.NewTokens / seconds, reads * ReadBandwidth.Bytes / readSeconds / 1e9);
    }

    private void DecodeStep(int position)
    {
        int vocabulary = _runner.Config.VocabSize;
        _batch.Clear();
        for (int s = 0; s < _next.Length; s++)
        {
            _batch.Add(_next.AsSpan(s, 1), position, _blockTables[s], 1);
        }

        _runner.Forward(_batch, _logits);
        for (int s = 0; s < _next.Length; s++)
        {
            _next[s] = TensorPrimitives.IndexOfMax(_logits.AsSpan(s * vocabulary, vocabulary));
        }
    }
}
