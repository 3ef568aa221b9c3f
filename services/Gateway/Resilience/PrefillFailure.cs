using Grpc.Core;
using LlmCluster.Api.Errors;

namespace LlmCluster.Gateway.Resilience;

/// <summary>What follows from a failed call of a prefill worker.</summary>
internal static class PrefillFailure
{
    /// <summary>
    /// Whether another attempt may succeed: the worker, or the connection to or from it, is lost. A call that the worker
    /// cancels is one whose worker is ending; our own cancellations never come here.
    /// </summary>
    public static bool IsTransient(StatusCode code) => code is StatusCode.Unavailable or StatusCode.DataLoss or StatusCode.Cancelled;

    /// <summary>What the client is told.</summary>
    public static ApiError ToApiError(Status status) => status.StatusCode switch
    {
        StatusCode.InvalidArgument or StatusCode.OutOfRange => ApiError.Invalid(status.Detail, code: ApiErrorCodes.InvalidValue),
        StatusCode.ResourceExhausted => ApiError.Overloaded($"The prompt could not be computed: {status.Detail}"),
        StatusCode.DeadlineExceeded => ApiError.Timeout($"The prompt was not computed in time: {status.Detail}"),
        StatusCode.Unavailable or StatusCode.DataLoss or StatusCode.Cancelled or StatusCode.Aborted or StatusCode.FailedPrecondition =>
            ApiError.Unavailable($"The prompt could not be computed and handed over: {status.Detail}"),
        _ => ApiError.Internal($"The prompt could not be computed ({status.StatusCode}): {status.Detail}"),
    };
}
