using Microsoft.AspNetCore.Http.Features;

namespace LlmCluster.Gateway.Proxy;

/// <summary>
/// Stands in for the connection's lifetime while a request is forwarded: the proxy breaks the connection off when the
/// worker's answer breaks off, but the gateway can still tell the client why.
/// </summary>
internal sealed class HeldLifetime(CancellationToken requestAborted) : IHttpRequestLifetimeFeature
{
    public CancellationToken RequestAborted { get; set; } = requestAborted;

    public void Abort()
    {
        // Whoever put this in place looks at the proxy's result and decides.
    }
}
