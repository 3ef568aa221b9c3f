using System.Buffers;
using Grpc.Core;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>A message that is only bytes, for a service with marshallers of its own.</summary>
public sealed class Blob(byte[] bytes, int segments = 1)
{
    public byte[] Bytes { get; } = bytes;

    /// <summary>Pieces that the message lay in when it was deserialized.</summary>
    public int Segments { get; } = segments;
}

/// <summary>Definition of a service written by hand: marshallers over buffer writer and sequence, no generated code.</summary>
public static class BytesService
{
    public const string Name = "test.Bytes";

    public static readonly Marshaller<Blob> Announced = Marshallers.Create(WriteAnnounced, Read);

    public static readonly Marshaller<Blob> Unannounced = Marshallers.Create(
        (blob, context) =>
        {
            context.GetBufferWriter().Write(blob.Bytes);
            context.Complete();
        },
        Read);

    public static readonly Marshaller<Blob> Arrays = Marshallers.Create(blob => blob.Bytes, bytes => new Blob(bytes));

    public static readonly Method<Blob, Blob> Unary = new(MethodType.Unary, Name, "Unary", Announced, Announced);
    public static readonly Method<Blob, Blob> UnaryUnannounced = new(MethodType.Unary, Name, "UnaryUnannounced", Unannounced, Unannounced);
    public static readonly Method<Blob, Blob> UnaryArrays = new(MethodType.Unary, Name, "UnaryArrays", Arrays, Arrays);
    public static readonly Method<Blob, Blob> Collect = new(MethodType.ClientStreaming, Name, "Collect", Announced, Announced);
    public static readonly Method<Blob, Blob> Repeat = new(MethodType.ServerStreaming, Name, "Repeat", Announced, Announced);
    public static readonly Method<Blob, Blob> Echo = new(MethodType.DuplexStreaming, Name, "Echo", Announced, Announced);

    public static void BindService(ServiceBinderBase binder, BytesServiceBase? service)
    {
        binder.AddMethod(Unary, service is null ? null : new UnaryServerMethod<Blob, Blob>(service.Unary));
        binder.AddMethod(UnaryUnannounced, service is null ? null : new UnaryServerMethod<Blob, Blob>(service.UnaryUnannounced));
        binder.AddMethod(UnaryArrays, service is null ? null : new UnaryServerMethod<Blob, Blob>(service.UnaryArrays));
        binder.AddMethod(Collect, service is null ? null : new ClientStreamingServerMethod<Blob, Blob>(service.Collect));
        binder.AddMethod(Repeat, service is null ? null : new ServerStreamingServerMethod<Blob, Blob>(service.Repeat));
        binder.AddMethod(Echo, service is null ? null : new DuplexStreamingServerMethod<Blob, Blob>(service.Echo));
    }

    private static void WriteAnnounced(Blob blob, SerializationContext context)
    {
        context.SetPayloadLength(blob.Bytes.Length);
        context.GetBufferWriter().Write(blob.Bytes);
        context.Complete();
    }

    private static Blob Read(DeserializationContext context)
    {
        ReadOnlySequence<byte> payload = context.PayloadAsReadOnlySequence();
        int segments = 0;
        foreach (ReadOnlyMemory<byte> _ in payload)
        {
            segments++;
        }

        return new Blob(payload.ToArray(), segments);
    }
}

/// <summary>Base of the service, as generated code would have it.</summary>
[BindServiceMethod(typeof(BytesService), nameof(BytesService.BindService))]
public abstract class BytesServiceBase
{
    public abstract Task<Blob> Unary(Blob request, ServerCallContext context);

    public abstract Task<Blob> UnaryUnannounced(Blob request, ServerCallContext context);

    public abstract Task<Blob> UnaryArrays(Blob request, ServerCallContext context);

    public abstract Task<Blob> Collect(IAsyncStreamReader<Blob> requests, ServerCallContext context);

    public abstract Task Repeat(Blob request, IServerStreamWriter<Blob> responses, ServerCallContext context);

    public abstract Task Echo(IAsyncStreamReader<Blob> requests, IServerStreamWriter<Blob> responses, ServerCallContext context);
}
