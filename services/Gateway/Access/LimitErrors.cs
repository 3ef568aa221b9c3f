using System.Globalization;
using LlmCluster.Api.Errors;
using LlmCluster.Cluster.Accounts;

namespace LlmCluster.Gateway.Access;

/// <summary>What clients are told when a limit of their key refuses a request.</summary>
internal static class LimitErrors
{
    /// <summary>The error of a charge that was refused.</summary>
    /// <param name="limits">The key's limits.</param>
    /// <param name="result">What came of the charge.</param>
    /// <param name="promptTokens">Tokens of all prompts.</param>
    /// <param name="outputTokens">Most tokens of all answers.</param>
    public static ApiError Describe(AccountLimits limits, ChargeResult result, long promptTokens, long outputTokens)
    {
        string asked = Text($"the request asks for {promptTokens + outputTokens} ({promptTokens} of the prompt and at most {outputTokens} of the answer)");
        string limit = result.Refusal switch
        {
            ChargeRefusal.Requests => Text($"{limits.RequestsPerMinute} requests per minute"),
            ChargeRefusal.Tokens => Text($"{limits.TokensPerMinute} tokens per minute"),
            _ => Text($"{limits.TokenBudget} tokens per {Period(limits.BudgetPeriod)}"),
        };
        if (result.RetryAfter == TimeSpan.MaxValue)
        {
            return ApiError.Invalid($"The API key's limit is {limit}, but {asked}: it can never be served. Shorten the prompt, or lower 'max_tokens' or 'n'.", null, ApiErrorCodes.AboveLimit);
        }

        string again = $"Try again in {ApiErrorWriter.RetryAfterSeconds(result.RetryAfter)} s.";
        string left = Text($"{result.RemainingTokens} are left and {asked}");
        return result.Refusal switch
        {
            ChargeRefusal.Requests => ApiError.TooMany(
                $"The API key's limit of {limit} is reached. {again}", ApiErrorTypes.Requests, ApiErrorCodes.RateLimitExceeded, result.RetryAfter),
            ChargeRefusal.Tokens => ApiError.TooMany(
                $"The API key's limit of {limit} is reached: {left}. {again}", ApiErrorTypes.Tokens, ApiErrorCodes.RateLimitExceeded, result.RetryAfter),
            _ => ApiError.TooMany(
                $"The API key's budget of {limit} is used up: {left}. {again}", ApiErrorTypes.InsufficientQuota, ApiErrorCodes.InsufficientQuota, result.RetryAfter),
        };
    }

    private static string Period(TimeSpan period) => period == TimeSpan.FromDays(1) ? "day" : period == TimeSpan.FromHours(1) ? "hour" : period.ToString("c", CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
