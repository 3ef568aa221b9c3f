namespace LlmCluster.Api.Errors;

/// <summary>A request that is answered with an error in OpenAI's shape.</summary>
/// <param name="error">What the client is told.</param>
/// <param name="innerException">What led to it.</param>
public sealed class ApiException(ApiError error, Exception? innerException = null) : Exception(error.Message, innerException)
{
    /// <summary>What the client is told.</summary>
    public ApiError Error { get; } = error;
}
