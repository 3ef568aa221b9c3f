using System.Globalization;
using LlmCluster.Api.Errors;
using LlmCluster.Gateway.Access;

namespace LlmCluster.Gateway.Admission;

/// <summary>What clients are told when the gateway's queue does not take or does not keep a request.</summary>
internal static class AdmissionErrors
{
    /// <summary>As many requests of the class wait as may: 429.</summary>
    /// <param name="class">The class.</param>
    /// <param name="reason">Why the request can't be placed at once; null where it was not tried, behind those that wait.</param>
    /// <param name="retryAfter">When to try again.</param>
    public static ApiError QueueFull(ServiceClass @class, string? reason, TimeSpan retryAfter) => ApiError.TooMany(
        $"{reason ?? "Others wait already."} The queue of class '{@class.Name}' holds as many requests as it may ({@class.Options.MaxQueued}). {Again(retryAfter)}",
        ApiErrorTypes.Server,
        ApiErrorCodes.QueueFull,
        retryAfter);

    /// <summary>A request waited for as long as its class allows: 429.</summary>
    /// <param name="class">The class.</param>
    /// <param name="waited">How long it waited.</param>
    /// <param name="reason">Why it could not be placed when it was tried last; null where its turn never came.</param>
    /// <param name="retryAfter">When to try again.</param>
    public static ApiError QueueTimeout(ServiceClass @class, TimeSpan waited, string? reason, TimeSpan retryAfter) => ApiError.TooMany(
        $"The request waited {waited.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture)} s in the gateway's queue, as long as class '{@class.Name}' allows. {reason ?? "Others were before it."} {Again(retryAfter)}",
        ApiErrorTypes.Server,
        ApiErrorCodes.QueueTimeout,
        retryAfter);

    private static string Again(TimeSpan retryAfter) => $"Try again in {ApiErrorWriter.RetryAfterSeconds(retryAfter)} s.";
}
