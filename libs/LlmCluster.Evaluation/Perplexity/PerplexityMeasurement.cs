using LlmCluster.Api.Prompts;
using LlmCluster.Inference.ChatTemplates;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Evaluation.Perplexity;

/// <summary>
/// Measures how well a model foresees what assistants say in conversations that it was not trained on: the figure by which number formats
/// are compared.
/// </summary>
public static class PerplexityMeasurement
{
    private const int ChunkTokens = 512;

    // Logits of a chunk take four times as many bytes.
    private const int ChunkLogits = 32 << 20;

    /// <summary>Loads the model and measures it.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Told after each conversation.</param>
    /// <param name="cancellationToken">Ends the measurement.</param>
    /// <exception cref="EvaluationException">The conversations can't be used with this model.</exception>
    /// <exception cref="CheckpointException">The model can't be used.</exception>
    /// <exception cref="TokenizerFormatException">Its tokenizer can't be used.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static PerplexityReport Run(PerplexityOptions options, IProgress<EvaluationProgress> progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(progress);
        options.Validate();
        string directory = Path.GetFullPath(options.ModelDirectory);
        List<ScoredConversation> conversations = CreateReader(directory).Read(options.DataFile, options.Limit);

        using Checkpoint checkpoint = Checkpoint.Open(directory);
        using CpuModel model = CpuModel.Load(checkpoint, options.Cpu);
        using var runner = new CpuModelRunner(model, model.KvLayout.BlocksFor(conversations.Max(c => c.Tokens.Length)));
        double sum = 0;
        long tokens = 0;
        for (int i = 0; i < conversations.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (double loss, int count) = Measure(runner, conversations[i]);
            sum += loss;
            tokens += count;
            progress.Report(new EvaluationProgress(i + 1, conversations.Count));
        }

        return new PerplexityReport
        {
            Model = Path.GetFileName(Path.TrimEndingDirectorySeparator(directory)),
            Weights = model.Weights.ToString().ToLowerInvariant(),
            Kv = model.KvLayout.Dtype.ToString().ToLowerInvariant(),
            WeightBytes = model.WeightBytes,
            Conversations = conversations.Count,
            Tokens = tokens,
            Loss = sum / tokens,
        };
    }

    /// <summary>Reads conversations as the model in a folder sees them.</summary>
    internal static ScoredConversationReader CreateReader(string directory)
    {
        Tokenizer tokenizer = Tokenizer.Load(directory);
        try
        {
            ChatTemplateRenderer renderer = ChatTemplateRenderer.Create(tokenizer.Config)
                ?? throw new EvaluationException($"{directory}: the model has no chat template; expected one in tokenizer_config.json or chat_template.jinja.");
            return new ScoredConversationReader(renderer, tokenizer, CheckpointSettings.Read(directory).Config);
        }
        catch (ChatTemplateException e)
        {
            throw new EvaluationException($"{directory}: {e.Message}", e);
        }
    }

    private static (double Loss, int Count) Measure(CpuModelRunner runner, ScoredConversation conversation)
    {
        int vocabulary = runner.Config.VocabSize;
        int[] tokens = conversation.Tokens;
        int[] blocks = [.. Enumerable.Range(0, runner.KvStore.Layout.BlocksFor(tokens.Length))];
        int chunk = Math.Clamp(ChunkLogits / vocabulary, 1, ChunkTokens);
        var logits = new float[Math.Min(chunk, tokens.Length) * vocabulary];
        var batch = new ForwardBatch();
        double sum = 0;
        int count = 0;
        for (int start = 0; start < tokens.Length; start += chunk)
        {
            int length = Math.Min(chunk, tokens.Length - start);
            batch.Clear();
            batch.Add(tokens.AsSpan(start, length), start, blocks, length);
            runner.Forward(batch, logits.AsSpan(0, length * vocabulary));
            foreach (Range said in conversation.Said)
            {
                // A token is foretold by the row before it.
                int first = Math.Max(said.Start.Value, start + 1);
                int end = Math.Min(said.End.Value, start + length + 1);
                for (int i = first; i < end; i++)
                {
                    sum += Loss(logits.AsSpan((i - 1 - start) * vocabulary, vocabulary), tokens[i]);
                    count++;
                }
            }
        }

        return (sum, count);
    }

    private static double Loss(ReadOnlySpan<float> logits, int token)
    {
        // In double precision: a loss is small beside the logits that it is the difference of.
        double largest = double.NegativeInfinity;
        foreach (float logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        double total = 0;
        foreach (float logit in logits)
        {
            total += Math.Exp(logit - largest);
        }

        return Math.Log(total) - (logits[token] - largest);
    }
}
