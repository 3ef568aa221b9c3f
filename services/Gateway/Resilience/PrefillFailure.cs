using Grpc.Core;
using LlmCluster.Api.Errors;

namespace LlmCluster.Gateway.Resilience;

/// <summary>What follows from a failed call of a prefill worker.</summary>
/// <param name="Error">What the client is told.</param>
/// <param name="DecodeEnds">
/// Whether the decode worker refused because it is done with the sequence. Leg 2 then ends by itself, and perhaps well: a
/// prefill worker that is lost just after it handed over is tried again although nothing is left to do.
/// </param>
internal sealed record PrefillFailure(ApiError Error, bool DecodeEnds)
{
    /// <summary>The failure that a status amounts to.</summary>
    public static PrefillFailure From(Status status) => new(ToApiError(status), status.StatusCode == StatusCode.Aborted);

    /// <summary>
    /// Whether another attempt may succeed: the worker, or the connection to or from it, is lost. A call that the worker
    /// cancels is one whose worker is ending; our own cancellations never come here.
    /// </summary>
    public static bool IsTransient(StatusCode code) => code is StatusCode.Unavailable or StatusCode.DataLoss or StatusCode.Cancelled;

    private static ApiError ToApiError(Status status) => status.StatusCode switch
    {
        StatusCode.InvalidArgument or StatusCode.OutOfRange => ApiError.Invalid(status.Detail, code: ApiErrorCodes.InvalidValue),
        StatusCode.ResourceExhausted => ApiError.Overloaded($"The prompt could not be computed: {status.Detail}"),
        StatusCode.DeadlineExceeded => ApiError.Timeout($"The prompt was not computed in time: {status.Detail}"),
        StatusCode.Unavailable or StatusCode.DataLoss or StatusCode.Cancelled or StatusCode.Aborted or StatusCode.FailedPrecondition =>
            ApiError.Unavailable($"The prompt could not be computed and handed over: {status.Detail}"),
        _ => ApiError.Internal($"The prompt could not be computed ({status.StatusCode}): {status.Detail}"),
    };
}
