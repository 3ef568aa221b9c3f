using LlmCluster.Api.Errors;
using LlmCluster.Gateway.Telemetry;

namespace LlmCluster.Gateway.Access;

/// <summary>
/// Lets requests in: with keys configured, whatever costs something needs one. Health and what is internal stay open; they belong behind the cluster's own walls.
/// </summary>
internal sealed class Authentication(RequestDelegate next, AccessRules rules)
{
    private const string Scheme = "Bearer ";
    private static readonly PathString[] Guarded = ["/v1", "/tokenize", "/detokenize"];

    public Task InvokeAsync(HttpContext context)
    {
        AccessTable table = rules.Table;
        if (table.IsOpen)
        {
            table.Anonymous.Attach(context);
        }
        else if (Array.Exists(Guarded, path => context.Request.Path.StartsWithSegments(path)))
        {
            Authenticate(context.Request, table).Attach(context);
        }

        return next(context);
    }

    private static Caller Authenticate(HttpRequest request, AccessTable table)
    {
        string header = request.Headers.Authorization.ToString();
        if (!header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw Refuse("No API key was provided. Send it in the header 'Authorization: Bearer KEY'.");
        }

        // Neither the key nor a part of it goes into the message: messages are logged.
        return table.Find(header[Scheme.Length..].Trim()) ?? throw Refuse("The API key in the header 'Authorization' is not known. Check it, or ask the cluster's operator for one.");
    }

    private static ApiException Refuse(string message)
    {
        GatewayMetrics.Reject(ApiErrorCodes.InvalidApiKey, null);
        return ApiError.Unauthorized(message).ToException();
    }
}
