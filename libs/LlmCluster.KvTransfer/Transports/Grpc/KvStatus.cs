using Grpc.Core;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>Between transfer errors and gRPC's status codes.</summary>
public static class KvStatus
{
    /// <summary>The exception that tells a gRPC caller.</summary>
    public static RpcException ToRpcException(KvTransferException exception) => new(
        new Status(
            exception.Error switch
            {
                KvTransferError.InvalidRequest => StatusCode.InvalidArgument,
                KvTransferError.Mismatch or KvTransferError.StaleEpoch => StatusCode.FailedPrecondition,
                KvTransferError.Corrupt => StatusCode.DataLoss,
                KvTransferError.NoRoom => StatusCode.ResourceExhausted,
                KvTransferError.Dropped => StatusCode.Aborted,
                KvTransferError.Unavailable => StatusCode.Unavailable,
                KvTransferError.DeadlineExceeded => StatusCode.DeadlineExceeded,
                KvTransferError.Cancelled => StatusCode.Cancelled,
                _ => StatusCode.Internal,
            },
            exception.Message),
        exception.Message);

    /// <summary>The transfer error that a failed call to a worker amounts to.</summary>
    internal static KvTransferException FromRpcException(RpcException exception, Uri receiver, string who = "Decode worker") => new(
        exception.StatusCode switch
        {
            StatusCode.InvalidArgument => KvTransferError.InvalidRequest,
            StatusCode.FailedPrecondition => KvTransferError.Mismatch,
            StatusCode.DataLoss => KvTransferError.Corrupt,
            StatusCode.ResourceExhausted => KvTransferError.NoRoom,
            StatusCode.Aborted => KvTransferError.Dropped,
            StatusCode.Unavailable => KvTransferError.Unavailable,
            StatusCode.DeadlineExceeded => KvTransferError.DeadlineExceeded,

            // Not by us: the stream was reset, as an ending worker does.
            StatusCode.Cancelled => KvTransferError.Unavailable,
            _ => KvTransferError.Internal,
        },
        $"{who} {receiver.GetLeftPart(UriPartial.Authority)}: {exception.Status.Detail}",
        exception);
}
