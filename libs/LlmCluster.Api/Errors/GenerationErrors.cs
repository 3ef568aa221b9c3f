using LlmCluster.Inference.Engine;

namespace LlmCluster.Api.Errors;

/// <summary>What clients are told when a sequence failed.</summary>
public static class GenerationErrors
{
    /// <summary>The error that a client sees for a failed sequence.</summary>
    public static ApiError ToApiError(this GenerationException exception) => exception.Error switch
    {
        GenerationError.InvalidRequest => ApiError.Invalid(exception.Message, code: ApiErrorCodes.InvalidValue),
        GenerationError.Overloaded => ApiError.Overloaded(exception.Message),
        GenerationError.DeadlineExceeded => ApiError.Timeout(exception.Message),
        GenerationError.Unavailable => ApiError.Unavailable(exception.Message),
        _ => ApiError.Internal(exception.Message),
    };
}
