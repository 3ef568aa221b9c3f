using LlmCluster.Gateway.Dispatch;

namespace LlmCluster.Gateway.Api;

/// <summary>The id under which a request appears in logs: the client's <c>x-request-id</c>, or one that is made here.</summary>
internal static class RequestIds
{
    private const int MaxLength = 128;
    private static readonly object Key = new();

    /// <summary>The request's id.</summary>
    public static string Get(HttpContext context)
    {
        if (context.Items.TryGetValue(Key, out object? known))
        {
            return (string)known!;
        }

        string id = Clean(context.Request.Headers[PrefillLeg.RequestIdHeader].ToString());
        if (id.Length == 0)
        {
            id = $"req-{Guid.NewGuid():N}";
        }

        context.Items[Key] = id;
        return id;
    }

    /// <summary>Keeps letters, digits and a few marks, so that an id can't forge log lines or headers.</summary>
    internal static string Clean(string id) =>
        string.Concat(id.Where(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':' or '/').Take(MaxLength));
}
