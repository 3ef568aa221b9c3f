using Grpc.Core;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>Calls that are given up at any moment leave nothing behind: no hung caller, no handler, no broken connection.</summary>
public sealed class ChurnTests
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_call_ends_however_it_is_given_up(int seed)
    {
        await using ScriptedServer server = await ScriptedServer.StartAsync();
        server.Script.Echo = async (requests, responses, context) =>
        {
            await foreach (Blob request in requests.ReadAllAsync(context.CancellationToken))
            {
                await responses.WriteAsync(request);
            }
        };
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 40 }, async (i, _) =>
            await RunAsync(server, new Random(seed * 1000 + i)).WaitAsync(Longest));

        // ScriptedServer's disposal checks that every handler has ended.
        Assert.Equal([1], (await server.Unary(new CallOptions(deadline: DateTime.UtcNow + Longest), [1])).Bytes);
    }

    private static async Task RunAsync(ScriptedServer server, Random random)
    {
        using var cancellation = new CancellationTokenSource();
        DateTime? deadline = random.Next(4) == 0 ? DateTime.UtcNow.AddMilliseconds(random.Next(60)) : null;
        using AsyncDuplexStreamingCall<Blob, Blob> call =
            server.Echo(new CallOptions(deadline: deadline, cancellationToken: cancellation.Token));
        Task writing = WriteAsync(call, random.Next(20), random.Next(60_000), random.Next(3) > 0);
        Task reading = ReadAsync(call);
        await Task.Delay(random.Next(30));
        switch (random.Next(3))
        {
            case 0:
                cancellation.Cancel();
                break;
            case 1:
                call.Dispose();
                break;
            default:
                // Runs to its end if the writer completes the stream, otherwise it is disposed after a while.
                await Task.WhenAny(reading, Task.Delay(random.Next(50)));
                call.Dispose();
                break;
        }

        await writing;
        await reading;
        Assert.Contains(call.GetStatus().StatusCode, new[] { StatusCode.OK, StatusCode.Cancelled, StatusCode.DeadlineExceeded });
    }

    private static async Task WriteAsync(AsyncDuplexStreamingCall<Blob, Blob> call, int count, int size, bool complete)
    {
        try
        {
            for (int i = 0; i < count; i++)
            {
                await call.RequestStream.WriteAsync(new Blob(new byte[size]));
            }

            if (complete)
            {
                await call.RequestStream.CompleteAsync();
            }
        }
        catch (RpcException exception)
        {
            Assert.Contains(exception.StatusCode, new[] { StatusCode.OK, StatusCode.Cancelled, StatusCode.DeadlineExceeded });
        }
    }

    private static async Task ReadAsync(AsyncDuplexStreamingCall<Blob, Blob> call)
    {
        try
        {
            while (await call.ResponseStream.MoveNext())
            {
            }
        }
        catch (RpcException exception)
        {
            Assert.Contains(exception.StatusCode, new[] { StatusCode.Cancelled, StatusCode.DeadlineExceeded });
        }
    }
}
