using Google.Protobuf;
using Grpc.Core;

namespace LlmCluster.Tests.Interop.Grpc;

/// <summary>The probe service in C#; <c>node/grpc/server.mjs</c> is the same in JavaScript.</summary>
internal sealed class ProbeService(ProbeCounts counts) : Probe.ProbeBase
{
    public override async Task<Item> Unary(Order request, ServerCallContext context)
    {
        await BeginAsync(request, context);
        End(request, context);
        return new Item
        {
            Payload = request.Size > 0 ? UnsafeByteOperations.UnsafeWrap(Pattern(request.Size)) : request.Payload,
            DeadlineMs = context.Deadline == DateTime.MaxValue ? 0 : (long)(context.Deadline - DateTime.UtcNow).TotalMilliseconds,
        };
    }

    public override async Task<Item> Collect(IAsyncStreamReader<Order> requestStream, ServerCallContext context)
    {
        var item = new Item();
        Order last = new();
        await foreach (Order order in requestStream.ReadAllAsync(context.CancellationToken))
        {
            last = order;
            await BeginAsync(order, context);
            item.Count++;
            item.Bytes += order.Payload.Length;
        }

        End(last, context);
        return item;
    }

    public override async Task Chat(
        IAsyncStreamReader<Order> requestStream, IServerStreamWriter<Item> responseStream, ServerCallContext context)
    {
        Order last = new();
        await foreach (Order order in requestStream.ReadAllAsync(context.CancellationToken))
        {
            last = order;
            await BeginAsync(order, context);
            await responseStream.WriteAsync(new Item { Payload = order.Payload });
        }

        for (int i = 0; i < last.Count; i++)
        {
            await responseStream.WriteAsync(new Item { Count = i });
        }

        End(last, context);
    }

    public override async Task Expand(Order request, IServerStreamWriter<Item> responseStream, ServerCallContext context)
    {
        byte[] payload = Pattern(request.Size);
        for (int i = 0; i < request.Count; i++)
        {
            await responseStream.WriteAsync(new Item { Payload = UnsafeByteOperations.UnsafeWrap(payload), Count = i });
            Interlocked.Increment(ref counts.Sent);
        }

        await BeginAsync(request, context);
        End(request, context);
    }

    public override Task<Counts> Report(Order request, ServerCallContext context) => Task.FromResult(counts.Read());

    /// <summary>Bytes that say their own index, modulo 251.</summary>
    public static byte[] Pattern(int size)
    {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++)
        {
            bytes[i] = (byte)(i % 251);
        }

        return bytes;
    }

    private async Task BeginAsync(Order order, ServerCallContext context)
    {
        if (order.EchoMetadata)
        {
            await context.WriteResponseHeadersAsync(Echo(context.RequestHeaders));
        }

        if (order.Hang)
        {
            Interlocked.Increment(ref counts.Hung);
            try
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
            }
            finally
            {
                Interlocked.Increment(ref counts.Cancelled);
            }
        }
    }

    private static void End(Order order, ServerCallContext context)
    {
        if (order.EchoMetadata)
        {
            foreach (Metadata.Entry entry in Echo(context.RequestHeaders))
            {
                context.ResponseTrailers.Add(entry);
            }
        }

        if (order.Status != 0)
        {
            throw new RpcException(
                new Status((StatusCode)order.Status, order.Message),
                new Metadata { { "reason", "ordered" }, { "reason-bin", [0, 1, 254, 255] } });
        }
    }

    private static Metadata Echo(Metadata headers)
    {
        var echo = new Metadata();
        foreach (Metadata.Entry entry in headers.Where(entry => entry.Key.StartsWith("echo-", StringComparison.Ordinal)))
        {
            echo.Add(entry);
        }

        return echo;
    }
}
