using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using LlmCluster.Inference.Engine;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing.KvTransfer;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace LlmCluster.Tests.Integration.KvTransfer;

/// <summary>The hand-written service and client talk to those that are generated from the protocol's definition.</summary>
public class GeneratedStubTests
{
    private static readonly int[] Prompt = [.. Enumerable.Range(1, 10)];

    [Fact]
    public async Task A_generated_client_hands_a_sequence_over()
    {
        await using var decode = new ContentEngine(16);
        await using KvServer server = await KvServer.StartAsync(decode);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        var client = new Protocol.V1.KvTransfer.KvTransferClient(channel);
        using var call = client.Transfer();
        var script = new TransferScript(Prompt);
        await call.RequestStream.WriteAsync(KvSenderMessage.Parser.ParseFrom(script.Open()));
        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.Equal(0, call.ResponseStream.Current.Accept.CachedBlocks);
        foreach (byte[] frame in script.Rest(0))
        {
            await call.RequestStream.WriteAsync(KvSenderMessage.Parser.ParseFrom(frame));
        }

        Assert.True(await call.ResponseStream.MoveNext(default));
        Assert.Equal(KvReceiverMessage.MessageOneofCase.Done, call.ResponseStream.Current.MessageCase);
        Assert.False(await call.ResponseStream.MoveNext(default));
        await using IGeneration generation = await server.Receiver.ReceiveAsync("r", 0, default);
        Assert.Empty(decode.WrongContent);
    }

    [Fact]
    public async Task A_generated_client_hears_the_status_of_a_refusal()
    {
        await using var decode = new ContentEngine(16);
        await using KvServer server = await KvServer.StartAsync(decode);
        using GrpcChannel channel = GrpcChannel.ForAddress(server.Address);
        using var call = new Protocol.V1.KvTransfer.KvTransferClient(channel).Transfer();
        var script = new TransferScript(Prompt);
        script.OpenMessage.ModelFingerprint = "another-model";
        await call.RequestStream.WriteAsync(new KvSenderMessage { Open = script.OpenMessage });
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(default));
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Contains("another-model", error.Status.Detail, StringComparison.Ordinal);
        Assert.Contains(KvContent.Fingerprint, error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_generated_service_takes_a_sequence()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        var service = new RecordingService();
        builder.Services.AddSingleton(service);
        await using WebApplication app = builder.Build();
        app.MapGrpcService<RecordingService>();
        await app.StartAsync();

        await using var prefill = new ContentEngine(16);
        await using var transport = new GrpcKvTransport();
        PrefillRequest sequence = new TransferScript(Prompt).OpenMessage.Sequence;
        sequence.DecodeEndpoint = app.Urls.First();
        KvSendResult result = await new KvSender(prefill, transport, new KvSenderOptions()).SendAsync(sequence, default);

        Assert.Equal(1, result.SkippedBlocks);
        Assert.Equal(sequence, service.Messages[0].Open.Sequence);
        Assert.Equal(ContentEngine.FirstToken, service.Messages[^1].Commit.FirstToken);
        int size = KvContent.Layout.LayerBlockBytes;
        var seen = new HashSet<(int Layer, int Block)>();
        foreach (KvBlocks blocks in service.Messages[1..^1].Select(message => message.Blocks))
        {
            for (int i = 0; i < blocks.BlockCount; i++)
            {
                int block = blocks.FirstBlock + i;
                Assert.True(seen.Add((blocks.Layer, block)));
                Assert.Equal(KvContent.Expected(KvContent.Layout, Prompt, blocks.Layer, block), blocks.Payload.Span.Slice(i * size, size).ToArray());
            }
        }

        Assert.Equal(2 * KvContent.Layout.Layers, seen.Count);
        await app.StopAsync();
    }

    private sealed class RecordingService : Protocol.V1.KvTransfer.KvTransferBase
    {
        public List<KvSenderMessage> Messages { get; } = [];

        public override async Task Transfer(
            IAsyncStreamReader<KvSenderMessage> requestStream, IServerStreamWriter<KvReceiverMessage> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                Messages.Add(requestStream.Current);
                if (requestStream.Current.Open is not null)
                {
                    await responseStream.WriteAsync(new KvReceiverMessage { Accept = new KvAccept { CachedBlocks = 1 } });
                }
            }

            await responseStream.WriteAsync(new KvReceiverMessage { Done = new KvDone() });
        }
    }
}
