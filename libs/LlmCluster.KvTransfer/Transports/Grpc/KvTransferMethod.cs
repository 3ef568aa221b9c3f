using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using LlmCluster.KvTransfer.Frames;
using LlmCluster.Protocol.V1;

namespace LlmCluster.KvTransfer.Transports.Grpc;

/// <summary>
/// <c>llmcluster.v1.KvTransfer/Transfer</c> with marshallers that move payloads between pool and wire without arrays
/// in between; generated stubs would go through a <see cref="ByteString"/>. Bytes on the wire are the same.
/// </summary>
internal static class KvTransferMethod
{
    /// <summary>As the protocol names the service.</summary>
    public const string ServiceName = "llmcluster.v1.KvTransfer";

    /// <summary>
    /// Where the blocks of the frame that is being read go. A marshaller is not told whose message it reads, but it runs
    /// within the read, in whose context this is set.
    /// </summary>
    public static readonly AsyncLocal<IKvBlockSink?> BlockSink = new();

    private const string Transfer = "Transfer";

    private static readonly Marshaller<KvReceiverMessage> ReceiverMarshaller = new(WriteMessage, static context => ReadMessage(context));

    /// <summary>The method as callers see it.</summary>
    public static readonly Method<KvOutgoingFrame, KvReceiverMessage> ForSender = new(
        MethodType.DuplexStreaming,
        ServiceName,
        Transfer,
        new Marshaller<KvOutgoingFrame>(WriteFrame, static _ => throw new NotSupportedException("Callers send frames only.")),
        ReceiverMarshaller);

    /// <summary>The method as servers see it.</summary>
    public static readonly Method<KvIncomingFrame, KvReceiverMessage> ForReceiver = new(
        MethodType.DuplexStreaming,
        ServiceName,
        Transfer,
        new Marshaller<KvIncomingFrame>(
            static (_, _) => throw new NotSupportedException("Servers receive frames only."),
            static context => KvFrameReader.Read(context.PayloadAsReadOnlySequence(), BlockSink.Value)),
        ReceiverMarshaller);

    private static void WriteFrame(KvOutgoingFrame frame, SerializationContext context)
    {
        context.SetPayloadLength(KvFrameWriter.GetLength(frame));
        KvFrameWriter.Write(frame, context.GetBufferWriter());
        context.Complete();
    }

    private static void WriteMessage(KvReceiverMessage message, SerializationContext context)
    {
        context.SetPayloadLength(message.CalculateSize());
        message.WriteTo(context.GetBufferWriter());
        context.Complete();
    }

    private static KvReceiverMessage ReadMessage(DeserializationContext context) =>
        KvReceiverMessage.Parser.ParseFrom(context.PayloadAsReadOnlySequence());
}
