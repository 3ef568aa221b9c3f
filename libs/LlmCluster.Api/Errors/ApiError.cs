namespace LlmCluster.Api.Errors;

/// <summary>An error in OpenAI's shape: <c>{"error": {"message", "type", "param", "code"}}</c>.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Message">What is wrong and what would be right.</param>
/// <param name="Type">Class of the error; see <see cref="ApiErrorTypes"/>.</param>
/// <param name="Param">Path of the request's field that is wrong, for example <c>messages.1.content</c>; or none.</param>
/// <param name="Code">Machine-readable reason; or none.</param>
public sealed record ApiError(int Status, string Message, string Type, string? Param = null, string? Code = null)
{
    /// <summary>After what time the same request may succeed; sent as <c>Retry-After</c>, in whole seconds, rounded up. Null where that is not known.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>A request that is wrong in itself: 400.</summary>
    public static ApiError Invalid(string message, string? param = null, string? code = null) =>
        new(400, message, ApiErrorTypes.InvalidRequest, param, code);

    /// <summary>A feature of the API that is not offered: 400.</summary>
    public static ApiError Unsupported(string message, string param) =>
        new(400, message, ApiErrorTypes.InvalidRequest, param, ApiErrorCodes.UnsupportedParameter);

    /// <summary>A body that is longer than what is read: 413.</summary>
    /// <param name="limit">Longest body in bytes.</param>
    public static ApiError TooLarge(long limit) =>
        new(413, $"The request body is longer than the {limit} bytes that are accepted.", ApiErrorTypes.InvalidRequest, null, ApiErrorCodes.RequestTooLarge);

    /// <summary>A body that is compressed: 415.</summary>
    public static ApiError UnsupportedEncoding(string encoding) =>
        new(415, $"The request body has content encoding '{encoding}'; send it uncompressed.", ApiErrorTypes.InvalidRequest, null, ApiErrorCodes.UnsupportedEncoding);

    /// <summary>A request without an API key, or with one that is not known: 401.</summary>
    public static ApiError Unauthorized(string message) => new(401, message, ApiErrorTypes.InvalidRequest, null, ApiErrorCodes.InvalidApiKey);

    /// <summary>More than the caller may ask for now, or than can be served now as its class is promised: 429.</summary>
    /// <param name="message">Names the limit, what was asked for, and when to try again.</param>
    /// <param name="type">What there was too much of.</param>
    /// <param name="code">The reason.</param>
    /// <param name="retryAfter">When to try again.</param>
    public static ApiError TooMany(string message, string type, string code, TimeSpan retryAfter) => new(429, message, type, null, code) { RetryAfter = retryAfter };

    /// <summary>A model that is not served: 404.</summary>
    public static ApiError ModelNotFound(string model, string served) =>
        new(404, $"The model '{model}' does not exist. This cluster serves '{served}'.", ApiErrorTypes.InvalidRequest, "model", ApiErrorCodes.ModelNotFound);

    /// <summary>A path that nothing answers: 404.</summary>
    public static ApiError UnknownRoute(string method, string path) =>
        new(404, $"Unknown request URL: {method} {path}.", ApiErrorTypes.InvalidRequest, null, ApiErrorCodes.UnknownUrl);

    /// <summary>A path that exists, asked with the wrong method: 405.</summary>
    public static ApiError WrongMethod(string method, string path) =>
        new(405, $"Not allowed to {method} on {path}.", ApiErrorTypes.InvalidRequest, null, ApiErrorCodes.MethodNotAllowed);

    /// <summary>A prompt that leaves no room for an answer: 400.</summary>
    /// <param name="contextLength">Longest sequence in tokens, prompt and answer together.</param>
    /// <param name="promptTokens">Tokens of the prompt.</param>
    /// <param name="param">The field that holds the prompt.</param>
    public static ApiError ContextLengthExceeded(int contextLength, int promptTokens, string param) =>
        new(
            400,
            $"This model's maximum context length is {contextLength} tokens, answer included, but the prompt has {promptTokens} tokens. Shorten it to at most {contextLength - 1} tokens.",
            ApiErrorTypes.InvalidRequest,
            param,
            ApiErrorCodes.ContextLengthExceeded);

    /// <summary>No room or no time now; the same request may succeed later: 503.</summary>
    public static ApiError Overloaded(string message) => new(503, message, ApiErrorTypes.Server, null, ApiErrorCodes.Overloaded);

    /// <summary>Workers that are needed are not there: 503.</summary>
    public static ApiError Unavailable(string message) => new(503, message, ApiErrorTypes.Server, null, ApiErrorCodes.Unavailable);

    /// <summary>A stage passed its deadline: 504.</summary>
    public static ApiError Timeout(string message) => new(504, message, ApiErrorTypes.Server, null, ApiErrorCodes.Timeout);

    /// <summary>A defect: 500.</summary>
    public static ApiError Internal(string message) => new(500, message, ApiErrorTypes.Server, null, ApiErrorCodes.Internal);

    /// <summary>This error as something to throw.</summary>
    public ApiException ToException(Exception? innerException = null) => new(this, innerException);
}
