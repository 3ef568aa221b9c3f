using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Sending;

/// <summary>What a transfer came to.</summary>
/// <param name="CachedTokens">Prompt tokens that this worker had in its cache.</param>
/// <param name="SkippedBlocks">Blocks that the receiver had already and that were not sent.</param>
/// <param name="SentBytes">K/V bytes sent.</param>
public readonly record struct KvSendResult(int CachedTokens, int SkippedBlocks, long SentBytes);

/// <summary>
/// The prefill worker's side of KV transfer: has the engine compute a prompt and streams its K/V to the decode
/// worker, layer by layer, while it is computed.
/// </summary>
/// <param name="engine">Computes prompts.</param>
/// <param name="transport">Reaches decode workers.</param>
/// <param name="options">Deadlines and limits.</param>
/// <param name="rate">Told of every transfer; none: nobody wants to know.</param>
/// <param name="fetcher">Fetches blocks from other workers; none: they are computed.</param>
public sealed class KvSender(
    IInferenceEngine engine, IKvTransport transport, KvSenderOptions options, TransferRate? rate = null, KvFetcher? fetcher = null)
{
    private int _live;

    /// <summary>Prompts that are being computed or sent.</summary>
    public int LiveTransfers => Volatile.Read(ref _live);

    /// <summary>
    /// Computes a prompt and hands it over. When this has returned the receiver runs the sequence; when it has thrown
    /// the prefill is cancelled. Either way the blocks are released, at the latest when the engine has ended its step.
    /// </summary>
    /// <param name="sequence">The sequence as the gateway asked for it.</param>
    /// <param name="cancellationToken">Ends prefill and transfer.</param>
    /// <exception cref="KvTransferException">The prompt could not be computed or handed over.</exception>
    public async Task<KvSendResult> SendAsync(PrefillRequest sequence, CancellationToken cancellationToken)
    {
        GenerationRequest request = SequenceMapping.ToGenerationRequest(sequence, engine.Runner.Config);
        Uri receiver = ReadAddress(sequence.DecodeEndpoint, "decode_endpoint");
        Uri? peer = sequence.FetchEndpoint.Length == 0 ? null : ReadAddress(sequence.FetchEndpoint, "fetch_endpoint");
        Interlocked.Increment(ref _live);
        try
        {
            return await PrefillAndSendAsync(sequence, request, receiver, peer, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not KvTransferException)
        {
            throw KvTransferException.From(e);
        }
        finally
        {
            Interlocked.Decrement(ref _live);
        }
    }

    private static Uri ReadAddress(string text, string field) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is ("http" or "https")
            ? address
            : throw new KvTransferException(
                KvTransferError.InvalidRequest, $"The sequence can't be served: {field} is '{text}'; it must be an address like http://10.0.0.7:9001.");

    private async Task<KvSendResult> PrefillAndSendAsync(
        PrefillRequest sequence, GenerationRequest request, Uri receiver, Uri? peer, CancellationToken cancellationToken)
    {
        BlockLease? prefix = peer is null || fetcher is null ? null : await fetcher.FetchAsync(peer, request, cancellationToken).ConfigureAwait(false);
        using var work = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var progress = new PrefillProgress(engine.Runner.KvStore.Layout.Layers);
        engine.SubmitPrefill(request, prefix, progress, work.Token);
        try
        {
            await Deadline.WaitAsync(progress.Started, options.QueueTimeout, "The prompt was not admitted", work.Token).ConfigureAwait(false);
            IKvSenderStream stream = await transport.OpenAsync(receiver, work.Token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var open = new KvOpen
                {
                    Sequence = sequence,
                    ModelFingerprint = engine.Runner.Fingerprint,
                    LayoutFingerprint = engine.Runner.KvStore.Layout.Fingerprint,
                };
                var transfer = new OutgoingTransfer(stream, progress, engine.Runner.KvStore, options);
                KvSendResult result = await transfer.RunAsync(open, work.Token).ConfigureAwait(false);
                rate?.Add(result.SentBytes, transfer.Duration);
                return result;
            }
        }
        finally
        {
            // The engine stops a prompt that nobody wants any more; one that is complete does not notice.
            await work.CancelAsync().ConfigureAwait(false);
            progress.Release();
        }
    }
}
