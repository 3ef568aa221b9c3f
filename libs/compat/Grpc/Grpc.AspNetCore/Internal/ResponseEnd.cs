using System.Globalization;
using Grpc.Core;
using Grpc.Core.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Writes status and trailers: behind the messages, or as headers when nothing has been sent.</summary>
internal static class ResponseEnd
{
    public static void Write(HttpResponse response, Status status, Metadata? trailers)
    {
        bool started = response.HasStarted;
        foreach (Metadata.Entry entry in trailers ?? Metadata.Empty)
        {
            Append(response, started, entry.Key, MetadataEncoding.Encode(entry));
        }

        Append(response, started, GrpcHeaders.Status, ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture));
        if (status.Detail.Length > 0)
        {
            Append(response, started, GrpcHeaders.Message, PercentEncoding.Encode(status.Detail));
        }
    }

    private static void Append(HttpResponse response, bool started, string name, string value)
    {
        if (started)
        {
            response.AppendTrailer(name, value);
        }
        else
        {
            response.Headers.Append(name, value);
        }
    }
}
