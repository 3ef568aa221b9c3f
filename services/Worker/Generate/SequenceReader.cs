using System.Threading.Channels;
using LlmCluster.Api.Generate;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Worker.Sequences;

namespace LlmCluster.Worker.Generate;

/// <summary>A piece of one sequence's answer.</summary>
/// <param name="Sequence">The sequence.</param>
/// <param name="Delta">The piece.</param>
/// <param name="PromptTokens">Tokens of its prompt.</param>
/// <param name="CachedTokens">Those whose K/V was cached.</param>
internal readonly record struct SequencePiece(GenerateSequence Sequence, TextDelta Delta, int PromptTokens, int CachedTokens);

/// <summary>
/// Reads all sequences of a request at once and hands their pieces on in the order in which they come. When one fails,
/// all end. Disposing it ends what is left; every sequence is disposed of then.
/// </summary>
internal sealed class SequenceReader : IAsyncDisposable
{
    // Pieces that a client has not taken yet; beyond them the sequences' own queues fill.
    private const int Capacity = 256;

    private readonly Channel<SequencePiece> _pieces = Channel.CreateBounded<SequencePiece>(
        new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    private readonly CancellationTokenSource _stop;
    private readonly ISequenceSource _source;
    private readonly ITokenizer _tokenizer;
    private readonly GenerateRequest _request;
    private readonly TextOptions _options;
    private readonly Task _reading;

    public SequenceReader(ISequenceSource source, ITokenizer tokenizer, GenerateRequest request, CancellationToken cancellationToken)
    {
        _source = source;
        _tokenizer = tokenizer;
        _request = request;
        _options = new TextOptions
        {
            StopStrings = request.Options.Stop,
            IncludeStop = request.Options.IncludeStop,
            SkipSpecialTokens = request.Options.SkipSpecialTokens,
        };
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _reading = ReadAllSequencesAsync();
    }

    /// <summary>The pieces; completed with the first failure of a sequence, or when all have ended.</summary>
    public ChannelReader<SequencePiece> Pieces => _pieces.Reader;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task ReadAllSequencesAsync()
    {
        Exception? failure = null;
        List<Task> reads = [.. _request.Sequences.Select(s => ReadAsync(s, _stop.Token))];
        await foreach (Task read in Task.WhenEach(reads).ConfigureAwait(false))
        {
            try
            {
                await read.ConfigureAwait(false);
            }
            catch (Exception e)
            {
                // The first failure is the cause; those that follow are the others' ends.
                if (failure is null)
                {
                    failure = e;
                    _pieces.Writer.TryComplete(e);
                    await _stop.CancelAsync().ConfigureAwait(false);
                }
            }
        }

        _pieces.Writer.TryComplete();
    }

    private async Task ReadAsync(GenerateSequence sequence, CancellationToken cancellationToken)
    {
        // Off the caller's thread, so that sequences start side by side.
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        IGeneration generation = _request.Local is { } local
            ? await _source.StartAsync(local.ToGeneration(_request.RequestId, sequence), local.FetchEndpoint, cancellationToken).ConfigureAwait(false)
            : await _source.ReceiveAsync(_request.RequestId, sequence.Index, cancellationToken).ConfigureAwait(false);
        await using var text = new TextGeneration(generation, _tokenizer, _options);
        await foreach (TextDelta delta in text.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            var piece = new SequencePiece(sequence, delta, text.PromptTokens, text.CachedTokens);
            await _pieces.Writer.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        }
    }
}
