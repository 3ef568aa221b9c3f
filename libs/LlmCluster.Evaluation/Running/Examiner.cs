using LlmCluster.Evaluation.Checks;
using LlmCluster.Evaluation.HeldOut;
using LlmCluster.Evaluation.Results;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;
using LlmCluster.Inference.Sampling;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Evaluation.Running;

/// <summary>Has an engine answer conversations, several at once and always with the likeliest token, and judges the answers.</summary>
internal sealed class Examiner(IInferenceEngine engine, ITokenizer tokenizer, IReadOnlyList<int> eosTokenIds)
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    /// <summary>Results in the order of the conversations.</summary>
    /// <exception cref="EvaluationException">The engine failed on a conversation.</exception>
    public async Task<ConversationResult[]> ExamineAsync(
        IReadOnlyList<EncodedConversation> conversations, int parallel, IProgress<EvaluationProgress> progress, CancellationToken cancellationToken)
    {
        var results = new ConversationResult[conversations.Count];
        int done = 0;
        await Parallel.ForEachAsync(
            Enumerable.Range(0, results.Length),
            new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancellationToken },
            async (index, stopping) =>
            {
                results[index] = await ExamineAsync(conversations[index], stopping).ConfigureAwait(false);
                progress.Report(new EvaluationProgress(Interlocked.Increment(ref done), results.Length));
            }).ConfigureAwait(false);
        return results;
    }

    private async Task<ConversationResult> ExamineAsync(EncodedConversation encoded, CancellationToken cancellationToken)
    {
        HeldOutConversation conversation = encoded.Conversation;
        try
        {
            IGeneration generation = engine.Submit(new GenerationRequest
            {
                Id = conversation.Id,
                Prompt = encoded.Prompt,
                Sampling = Greedy,
                MaxTokens = conversation.MaxTokens,
                StopTokenIds = eosTokenIds,
            });
            var text = new TextGeneration(generation, tokenizer, new TextOptions());
            await using (text.ConfigureAwait(false))
            {
                TextResult answer = await text.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
                return Judge(encoded, answer, text.CachedTokens);
            }
        }
        catch (GenerationException e)
        {
            throw new EvaluationException($"{conversation.Location}: the engine failed: {e.Message}", e);
        }
    }

    private static ConversationResult Judge(EncodedConversation encoded, TextResult answer, int cachedTokens)
    {
        HeldOutConversation conversation = encoded.Conversation;
        bool endedItself = answer.FinishReason == FinishReason.Stop;
        Verdict verdict = conversation.Check.Judge(new Answer(answer.Text, endedItself));
        return new ConversationResult
        {
            Id = conversation.Id,
            Skill = conversation.Skill,
            Bucket = conversation.Bucket,
            Question = conversation.Question,
            Expected = conversation.Check.Expected,
            PromptIds = encoded.Prompt,
            CachedPromptTokens = cachedTokens,
            OutputIds = [.. answer.Tokens.Select(token => token.Id)],
            Text = answer.Text,
            EndedItself = endedItself,
            Right = verdict.Right,
            Parses = verdict.Parses,
        };
    }
}
