using Grpc.Core;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>Gives back what it is sent.</summary>
public sealed class EchoService : BytesServiceBase
{
    public static int LargestSegmentCount { get; private set; }

    public override Task<Blob> Unary(Blob request, ServerCallContext context) => Task.FromResult(request);

    public override Task<Blob> UnaryUnannounced(Blob request, ServerCallContext context) => Task.FromResult(request);

    public override Task<Blob> UnaryArrays(Blob request, ServerCallContext context) => Task.FromResult(request);

    public override async Task<Blob> Collect(IAsyncStreamReader<Blob> requests, ServerCallContext context)
    {
        int bytes = 0;
        while (await requests.MoveNext(context.CancellationToken))
        {
            bytes += requests.Current.Bytes.Length;
            LargestSegmentCount = Math.Max(LargestSegmentCount, requests.Current.Segments);
        }

        return new Blob(BitConverter.GetBytes(bytes));
    }

    public override async Task Repeat(Blob request, IServerStreamWriter<Blob> responses, ServerCallContext context)
    {
        for (int i = 0; i < BitConverter.ToInt32(request.Bytes); i++)
        {
            byte[] bytes = new byte[i * 700];
            new Random(bytes.Length).NextBytes(bytes);
            await responses.WriteAsync(new Blob(bytes));
        }
    }

    public override async Task Echo(IAsyncStreamReader<Blob> requests, IServerStreamWriter<Blob> responses, ServerCallContext context)
    {
        await foreach (Blob request in requests.ReadAllAsync(context.CancellationToken))
        {
            await responses.WriteAsync(request);
        }
    }
}
