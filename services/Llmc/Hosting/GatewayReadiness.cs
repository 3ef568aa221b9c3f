using System.Net;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>Waits until a gateway serves: until its <c>/ready</c> answers 200, as a probe in a cluster would see it.</summary>
internal static class GatewayReadiness
{
    private static readonly TimeSpan FirstInterval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(1);

    /// <param name="gateway">Where the gateway listens.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public static async Task WaitAsync(Uri gateway, CancellationToken cancellationToken)
    {
        using var client = new HttpClient { BaseAddress = Reachable(gateway), Timeout = TimeSpan.FromSeconds(5) };
        TimeSpan interval = FirstInterval;
        while (!await IsReadyAsync(client, cancellationToken))
        {
            await Task.Delay(interval, cancellationToken);
            interval = interval * 1.2 < LongestInterval ? interval * 1.2 : LongestInterval;
        }
    }

    /// <summary>The address by which this machine reaches a server that listens on any address.</summary>
    public static Uri Reachable(Uri listening)
    {
        string host = listening.Host is "0.0.0.0" or "[::]" or "*" or "+" ? "127.0.0.1" : listening.Host;
        return new UriBuilder(listening.Scheme, host, listening.Port).Uri;
    }

    private static async Task<bool> IsReadyAsync(HttpClient client, CancellationToken cancellationToken)
    {
        try
        {
            using HttpResponseMessage response = await client.GetAsync("/ready", cancellationToken);
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
