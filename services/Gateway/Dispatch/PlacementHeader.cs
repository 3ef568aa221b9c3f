namespace LlmCluster.Gateway.Dispatch;

/// <summary>Tells a client that asks for it (<c>x-llmc-debug: placement</c>) why its request runs where it does.</summary>
internal static class PlacementHeader
{
    /// <summary>Name of the response's header.</summary>
    public const string Name = "x-llmc-placement";

    private const string DebugHeader = "x-llmc-debug";
    private const string Wish = "placement";

    /// <summary>Adds the reason to the response, if the request asks for it.</summary>
    public static void Write(HttpContext context, string reason)
    {
        foreach (string? wishes in context.Request.Headers[DebugHeader])
        {
            if (wishes is not null && wishes.Split(',', StringSplitOptions.TrimEntries).Contains(Wish, StringComparer.OrdinalIgnoreCase))
            {
                // Names of workers may hold anything; a header may not.
                context.Response.Headers[Name] = string.Concat(reason.Select(static c => c is >= ' ' and <= '~' ? c : '?'));
                return;
            }
        }
    }
}
