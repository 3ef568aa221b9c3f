using Grpc.Core;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Protocol.V1;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Prefilling;

/// <summary>Leg 1 of a request: computes a prompt and hands it over to the decode worker that the gateway named.</summary>
internal sealed partial class PrefillService(KvSender sender, ILogger<PrefillService> logger) : Prefill.PrefillBase
{
    private const string RequestIdHeader = "x-request-id";

    public override async Task<PrefillResponse> Prefill(PrefillRequest request, ServerCallContext context)
    {
        string requestId = context.RequestHeaders.GetValue(RequestIdHeader) ?? request.Id?.RequestId ?? "";
        using IDisposable? scope = logger.BeginScope("RequestId:{RequestId}", requestId);
        try
        {
            KvSendResult result = await sender.SendAsync(request, context.CancellationToken).ConfigureAwait(false);
            LogHandedOver(request.Id!.Index, request.Prompt.Count, request.DecodeEndpoint, result.CachedTokens, result.SkippedBlocks, result.SentBytes);
            return new PrefillResponse
            {
                CachedTokens = result.CachedTokens,
                SkippedBlocks = result.SkippedBlocks,
                SentBytes = result.SentBytes,
            };
        }
        catch (KvTransferException e)
        {
            if (e.Error is KvTransferError.Internal or KvTransferError.Protocol)
            {
                LogFailed(request.Id?.Index ?? 0, request.DecodeEndpoint, e);
            }
            else
            {
                LogEnded(request.Id?.Index ?? 0, request.DecodeEndpoint, e.Error, e.Message);
            }

            throw KvStatus.ToRpcException(e);
        }
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Sequence {Index}: prompt of {Tokens} tokens handed over to {Receiver}; {Cached} tokens were cached here, {Skipped} blocks there, {Bytes} bytes sent")]
    private partial void LogHandedOver(int index, int tokens, string receiver, int cached, int skipped, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sequence {Index}: not handed over to {Receiver} ({Error}): {Problem}")]
    private partial void LogEnded(int index, string receiver, KvTransferError error, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "Sequence {Index}: handing over to {Receiver} failed")]
    private partial void LogFailed(int index, string receiver, Exception exception);
}
