using System.Buffers;
using System.IO.Pipelines;
using LlmCluster.Api.Errors;

namespace LlmCluster.Gateway.Api;

/// <summary>Reads request bodies up to a limit.</summary>
internal static class RequestBody
{
    // A client that is still sending doesn't read: an answer before the end of a body that is not vastly too long would
    // be lost with the connection.
    private const long MostDrained = 64 << 20;
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The whole body.</summary>
    /// <exception cref="ApiException">It is longer than <paramref name="limit"/> bytes, or compressed.</exception>
    public static async ValueTask<byte[]> ReadAsync(HttpContext context, long limit)
    {
        HttpRequest request = context.Request;
        string encoding = request.Headers.ContentEncoding.ToString();
        if (encoding.Length > 0 && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
        {
            throw ApiError.UnsupportedEncoding(encoding).ToException();
        }

        if (request.ContentLength > limit)
        {
            await RefuseAsync(context, limit, 0).ConfigureAwait(false);
        }

        PipeReader reader = request.BodyReader;
        while (true)
        {
            ReadResult result = await reader.ReadAsync(context.RequestAborted).ConfigureAwait(false);
            if (result.Buffer.Length > limit)
            {
                long read = result.Buffer.Length;
                reader.AdvanceTo(result.Buffer.End);
                await RefuseAsync(context, limit, read).ConfigureAwait(false);
            }

            if (result.IsCompleted)
            {
                byte[] body = result.Buffer.ToArray();
                reader.AdvanceTo(result.Buffer.End);
                return body;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    private static async Task RefuseAsync(HttpContext context, long limit, long read)
    {
        HttpRequest request = context.Request;
        bool waits = request.Headers.Expect.Count > 0 && read == 0;
        if (!waits && (request.ContentLength ?? 0) <= MostDrained)
        {
            await DrainAsync(context, read).ConfigureAwait(false);
        }

        context.Response.Headers.Connection = "close";
        throw ApiError.TooLarge(limit).ToException();
    }

    private static async Task DrainAsync(HttpContext context, long read)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        timeout.CancelAfter(DrainTimeout);
        try
        {
            PipeReader reader = context.Request.BodyReader;
            while (read <= MostDrained)
            {
                ReadResult result = await reader.ReadAsync(timeout.Token).ConfigureAwait(false);
                read += result.Buffer.Length;
                reader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // It sends too slowly to be waited for; the connection is closed after the answer.
        }
    }
}
