using Google.Protobuf;
using Grpc.Core;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary><c>llmcluster.v1.KvFetch/Fetch</c> with marshallers that move payloads between pool and wire, as those of <see cref="KvTransferMethod"/> do.</summary>
internal static class KvFetchMethod
{
    private const string ServiceName = "llmcluster.v1.KvFetch";
    private const string Fetch = "Fetch";

    private static readonly Marshaller<KvFetchRequest> RequestMarshaller = new(
        WriteMessage, static context => KvFetchRequest.Parser.ParseFrom(context.PayloadAsReadOnlySequence()));

    /// <summary>The method as callers see it.</summary>
    public static readonly Method<KvFetchRequest, KvFetchIncoming> ForCaller = new(
        MethodType.ServerStreaming,
        ServiceName,
        Fetch,
        RequestMarshaller,
        new Marshaller<KvFetchIncoming>(
            static (_, _) => throw new NotSupportedException("Callers receive blocks only."),
            static context => KvFrameReader.ReadFetched(context.PayloadAsReadOnlySequence(), KvTransferMethod.BlockSink.Value)));

    /// <summary>The method as servers see it.</summary>
    public static readonly Method<KvFetchRequest, KvFetchOutgoing> ForServer = new(
        MethodType.ServerStreaming,
        ServiceName,
        Fetch,
        RequestMarshaller,
        new Marshaller<KvFetchOutgoing>(WriteFrame, static _ => throw new NotSupportedException("Servers send blocks only.")));

    private static void WriteFrame(KvFetchOutgoing frame, SerializationContext context)
    {
        if (frame.Blocks is { } blocks)
        {
            var outgoing = new KvOutgoingFrame(blocks);
            context.SetPayloadLength(KvFrameWriter.GetLength(outgoing));
            KvFrameWriter.Write(outgoing, context.GetBufferWriter());
            context.Complete();
        }
        else
        {
            WriteMessage(new KvFetchMessage { Found = frame.Found }, context);
        }
    }

    private static void WriteMessage(IMessage message, SerializationContext context)
    {
        context.SetPayloadLength(message.CalculateSize());
        message.WriteTo(context.GetBufferWriter());
        context.Complete();
    }
}
