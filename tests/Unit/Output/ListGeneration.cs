using System.Runtime.CompilerServices;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;

namespace LlmCluster.Tests.Unit.Output;

/// <summary>A sequence that consists of given tokens, and tells how far it was read.</summary>
internal sealed class ListGeneration(IReadOnlyList<GeneratedToken> tokens, int minTokens = 0) : IGeneration
{
    public GenerationRequest Request { get; } = new()
    {
        Id = "list",
        Prompt = [1, 2, 3],
        MaxTokens = 1000,
        MinTokens = minTokens,
        Sampling = new SamplingOptions(),
    };

    public int CachedTokens => 2;

    public int Read { get; private set; }

    public int Disposals { get; private set; }

    /// <summary>Whether the reader said, before it disposed of this, that it has all that it wants.</summary>
    public bool IsComplete { get; private set; }

    public static List<GeneratedToken> Tokens(IEnumerable<int> ids, FinishReason reason)
    {
        List<GeneratedToken> tokens = [.. ids.Select(id => new GeneratedToken(id, FinishReason.None))];
        tokens[^1] = tokens[^1] with { FinishReason = reason };
        return tokens;
    }

    public async IAsyncEnumerable<GeneratedToken> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (GeneratedToken token in tokens)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
            Read++;
            yield return token;
        }
    }

    public void Complete() => IsComplete = Disposals == 0;

    public ValueTask DisposeAsync()
    {
        Disposals++;
        return ValueTask.CompletedTask;
    }
}
