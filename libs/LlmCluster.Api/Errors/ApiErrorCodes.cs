namespace LlmCluster.Api.Errors;

/// <summary>Values of <c>error.type</c>.</summary>
public static class ApiErrorTypes
{
    /// <summary>The client has to change the request.</summary>
    public const string InvalidRequest = "invalid_request_error";

    /// <summary>The cluster could not serve the request.</summary>
    public const string Server = "server_error";

    /// <summary>The caller made too many requests.</summary>
    public const string Requests = "requests";

    /// <summary>The caller asked for too many tokens.</summary>
    public const string Tokens = "tokens";

    /// <summary>The caller's budget is used up.</summary>
    public const string InsufficientQuota = "insufficient_quota";
}

/// <summary>Values of <c>error.code</c>.</summary>
public static class ApiErrorCodes
{
    /// <summary>The body is no JSON.</summary>
    public const string InvalidJson = "invalid_json";

    /// <summary>A field has a value of the wrong JSON type.</summary>
    public const string InvalidType = "invalid_type";

    /// <summary>A field has a value that is not allowed.</summary>
    public const string InvalidValue = "invalid_value";

    /// <summary>A field that has to be there is not.</summary>
    public const string MissingParameter = "missing_required_parameter";

    /// <summary>A field asks for something that is not offered.</summary>
    public const string UnsupportedParameter = "unsupported_parameter";

    /// <summary>An array or string has no elements.</summary>
    public const string Empty = "empty_value";

    /// <summary>An array has too many elements.</summary>
    public const string TooMany = "array_above_max_length";

    /// <summary>A number lies below what is allowed.</summary>
    public const string BelowMinimum = "below_min_value";

    /// <summary>A number lies above what is allowed.</summary>
    public const string AboveMaximum = "above_max_value";

    /// <summary>The model is not served.</summary>
    public const string ModelNotFound = "model_not_found";

    /// <summary>Nothing answers this path.</summary>
    public const string UnknownUrl = "unknown_url";

    /// <summary>The path exists, the method on it does not.</summary>
    public const string MethodNotAllowed = "method_not_allowed";

    /// <summary>The body is too long.</summary>
    public const string RequestTooLarge = "request_too_large";

    /// <summary>The body is compressed.</summary>
    public const string UnsupportedEncoding = "unsupported_content_encoding";

    /// <summary>The prompt is too long.</summary>
    public const string ContextLengthExceeded = "context_length_exceeded";

    /// <summary>The chat template refused the messages.</summary>
    public const string ChatTemplate = "chat_template_error";

    /// <summary>The API key is missing or not known.</summary>
    public const string InvalidApiKey = "invalid_api_key";

    /// <summary>A limit of requests or tokens in a minute is reached.</summary>
    public const string RateLimitExceeded = "rate_limit_exceeded";

    /// <summary>A budget is used up.</summary>
    public const string InsufficientQuota = "insufficient_quota";

    /// <summary>The request asks for more than a limit ever allows.</summary>
    public const string AboveLimit = "request_above_limit";

    /// <summary>The request would be served later than its class is promised.</summary>
    public const string SloUnattainable = "slo_unattainable";

    /// <summary>As many requests wait as may.</summary>
    public const string QueueFull = "queue_full";

    /// <summary>The request waited in the gateway for as long as it may.</summary>
    public const string QueueTimeout = "queue_timeout";

    /// <summary>No room now.</summary>
    public const string Overloaded = "overloaded";

    /// <summary>No worker now.</summary>
    public const string Unavailable = "unavailable";

    /// <summary>A deadline passed.</summary>
    public const string Timeout = "timeout";

    /// <summary>A defect.</summary>
    public const string Internal = "internal_error";
}
