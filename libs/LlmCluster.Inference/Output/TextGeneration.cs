using System.Runtime.CompilerServices;
using System.Text;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Inference.Output;

/// <summary>
/// A sequence's answer as text: decoded piece by piece, ended by stop strings, with the figures that usage reports
/// need. Read it once, either piece by piece or whole. Disposing it disposes the sequence, which cancels it when it
/// has not ended.
/// </summary>
public sealed class TextGeneration : IAsyncDisposable
{
    private readonly IGeneration _generation;
    private readonly TextAssembler _assembler;
    private int _read;

    /// <summary>Creates the text of a sequence and takes the sequence over.</summary>
    /// <param name="generation">The sequence.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="options">How tokens become text.</param>
    /// <exception cref="ArgumentException">A stop string is empty.</exception>
    public TextGeneration(IGeneration generation, ITokenizer tokenizer, TextOptions options)
    {
        ArgumentNullException.ThrowIfNull(generation);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        _generation = generation;
        _assembler = new TextAssembler(tokenizer, options, generation.Request.MinTokens);
    }

    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens => _generation.Request.Prompt.Length;

    /// <summary>Prompt tokens whose K/V was cached; known with the first token.</summary>
    public int CachedTokens => _generation.CachedTokens;

    /// <summary>Tokens read so far, up to and including the one that completed a stop string or is a stop token.</summary>
    public int CompletionTokens => _assembler.TokenCount;

    /// <summary>The stop string that ended the answer, if one did.</summary>
    public string? MatchedStopString => _assembler.MatchedStop;

    /// <summary>The stop token that ended the answer, if one did.</summary>
    public int? StopTokenId => _assembler.StopToken;

    /// <summary>The answer piece by piece, one for each token; the last has a <see cref="FinishReason"/>.</summary>
    /// <exception cref="GenerationException">The sequence failed.</exception>
    /// <exception cref="InvalidOperationException">The answer is being read already.</exception>
    public async IAsyncEnumerable<TextDelta> ReadAllAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _read, 1) != 0)
        {
            throw new InvalidOperationException("The answer can be read only once.");
        }

        await foreach (GeneratedToken token in _generation.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            TextDelta delta = _assembler.Append(token);
            if (delta.FinishReason == FinishReason.None)
            {
                yield return delta;
                continue;
            }

            // A stop string ends the sequence before the engine would; the reader need not wait until it has.
            Task? ending = null;
            if (token.FinishReason == FinishReason.None)
            {
                _generation.Complete();
                ending = _generation.DisposeAsync().AsTask();
            }

            yield return delta;
            if (ending is not null)
            {
                await ending.ConfigureAwait(false);
            }

            yield break;
        }
    }

    /// <summary>The whole answer.</summary>
    /// <exception cref="GenerationException">The sequence failed.</exception>
    /// <exception cref="InvalidOperationException">The answer is being read already.</exception>
    public async ValueTask<TextResult> ReadToEndAsync(CancellationToken cancellationToken = default)
    {
        var text = new StringBuilder();
        var tokens = new List<OutputToken>();
        FinishReason reason = FinishReason.None;
        await foreach (TextDelta delta in ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            text.Append(delta.Text);
            tokens.AddRange(delta.Tokens);
            reason = delta.FinishReason;
        }

        return new TextResult(text.ToString(), tokens, reason);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _generation.DisposeAsync();
}
