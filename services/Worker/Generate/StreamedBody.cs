using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;
using Microsoft.AspNetCore.Http;

namespace LlmCluster.Worker.Generate;

/// <summary>
/// The body of a streamed answer, which ends with a trailer of what was used. Kestrel knows trailers from HTTP/2 on only, and leaves a body that is chunked already as it
/// is: over HTTP/1.1 the chunks are made here (RFC 9112, section 7.1).
/// </summary>
internal sealed class StreamedBody(HttpResponse response)
{
    private readonly ArrayBufferWriter<byte> _chunk = new(1024);
    private readonly bool _isChunked = HttpProtocol.IsHttp11(response.HttpContext.Request.Protocol);

    /// <summary>Takes what the next <see cref="FlushAsync"/> sends.</summary>
    public IBufferWriter<byte> Output => _chunk;

    /// <summary>Sets the headers, unless the response has begun.</summary>
    public void Begin()
    {
        if (response.HasStarted)
        {
            return;
        }

        response.ContentType = ApiJson.EventStreamContentType;
        response.Headers.CacheControl = "no-cache";
        if (_isChunked)
        {
            response.Headers.TransferEncoding = "chunked";
            response.Headers.Trailer = GenerateHeaders.Usage;
        }
        else if (response.SupportsTrailers())
        {
            response.DeclareTrailer(GenerateHeaders.Usage);
        }
    }

    /// <summary>Sends what was written.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        WriteChunk();
        await response.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends what was written, and the end.</summary>
    public async ValueTask EndAsync(Usage usage, CancellationToken cancellationToken)
    {
        WriteChunk();
        string value = GenerateHeaders.FormatUsage(usage);
        if (_isChunked)
        {
            response.BodyWriter.Write(Encoding.ASCII.GetBytes($"0\r\n{GenerateHeaders.Usage}: {value}\r\n\r\n"));
        }
        else if (response.SupportsTrailers())
        {
            response.AppendTrailer(GenerateHeaders.Usage, value);
        }

        await response.BodyWriter.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private void WriteChunk()
    {
        // An empty chunk would be the end.
        if (_chunk.WrittenCount == 0)
        {
            return;
        }

        PipeWriter body = response.BodyWriter;
        if (_isChunked)
        {
            Span<byte> size = stackalloc byte[8];
            _chunk.WrittenCount.TryFormat(size, out int length, "x", CultureInfo.InvariantCulture);
            body.Write(size[..length]);
            body.Write("\r\n"u8);
        }

        body.Write(_chunk.WrittenSpan);
        if (_isChunked)
        {
            body.Write("\r\n"u8);
        }

        _chunk.ResetWrittenCount();
    }
}
