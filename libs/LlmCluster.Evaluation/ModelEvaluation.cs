using System.Diagnostics;
using LlmCluster.Evaluation.HeldOut;
using LlmCluster.Evaluation.Results;
using LlmCluster.Evaluation.Running;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Evaluation;

/// <summary>
/// Measures what a model can do: the engine answers held-out conversations as it would answer a client's, with its chat
/// template, continuous batching and prefix reuse, and each answer is checked.
/// </summary>
public static class ModelEvaluation
{
    /// <summary>Most memory of the KV pool, unless one conversation needs more.</summary>
    private const long KvMemoryBytes = 512L << 20;

    /// <summary>A slow machine may need long for the conversations before one; the engine's own limit is for servers.</summary>
    private static readonly TimeSpan QueueTimeout = TimeSpan.FromHours(1);

    /// <summary>Loads the model and evaluates it.</summary>
    /// <param name="options">What to evaluate.</param>
    /// <param name="progress">Told after each conversation, from any thread.</param>
    /// <param name="cancellationToken">Ends the evaluation.</param>
    /// <exception cref="EvaluationException">The held-out conversations can't be used with this model.</exception>
    /// <exception cref="CheckpointException">The model can't be used.</exception>
    /// <exception cref="TokenizerFormatException">Its tokenizer can't be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static async Task<EvaluationReport> RunAsync(
        EvaluationOptions options, IProgress<EvaluationProgress> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        options.Validate();
        long began = Stopwatch.GetTimestamp();

        // Prompts before weights: what is wrong with them shows at once.
        List<HeldOutConversation> selected = HeldOutSelection.Select(HeldOutFile.Read(options.DataFile), options.Skills, options.Limit);
        string directory = Path.GetFullPath(options.ModelDirectory);
        CheckpointSettings settings = CheckpointSettings.Read(directory);
        Tokenizer tokenizer = Tokenizer.Load(directory);
        var encoder = new ConversationEncoder(directory, tokenizer, settings.Config);
        EncodedConversation[] conversations = [.. selected.Select(encoder.Encode)];

        using Checkpoint checkpoint = Checkpoint.Open(directory);
        using CpuModel model = CpuModel.Load(checkpoint, options.Cpu);
        using var runner = new CpuModelRunner(model, BlockCount(conversations, model.KvLayout, settings.Config));
        var limits = new EngineOptions { MaxRunning = options.Parallel, QueueTimeout = QueueTimeout };
        limits = limits with { MaxBatchTokens = Math.Max(limits.MaxBatchTokens, options.Parallel + options.Cpu.BlockSize) };
        var engine = new InferenceEngine(runner, limits);
        await using (engine.ConfigureAwait(false))
        {
            var examiner = new Examiner(engine, tokenizer, settings.EosTokenIds(tokenizer));
            ConversationResult[] results = await examiner.ExamineAsync(conversations, options.Parallel, progress, cancellationToken).ConfigureAwait(false);
            return new EvaluationReport(results)
            {
                Model = Path.GetFileName(Path.TrimEndingDirectorySeparator(directory)),
                Fingerprint = checkpoint.Fingerprint,
                Dtype = model.Weights.ToString().ToLowerInvariant(),
                Elapsed = Stopwatch.GetElapsedTime(began),
            };
        }
    }

    private static int BlockCount(EncodedConversation[] conversations, KvLayout layout, ModelConfig model)
    {
        int[] needs = Array.ConvertAll(
            conversations, c => layout.BlocksFor((int)Math.Min(model.MaxPositions, (long)c.Prompt.Length + c.Conversation.MaxTokens)));
        long most = Math.Max(needs.Max(), Math.Min(KvMemoryBytes / layout.BlockBytes, int.MaxValue / 2));
        return (int)Math.Min(needs.Sum(n => (long)n), most);
    }
}
