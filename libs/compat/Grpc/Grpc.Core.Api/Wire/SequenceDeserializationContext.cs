using System.Buffers;

namespace Grpc.Core.Wire;

/// <summary>Shows a deserializer the bytes where they lie. Reused from message to message.</summary>
internal sealed class SequenceDeserializationContext : DeserializationContext
{
    private ReadOnlySequence<byte> _payload;
    private bool _valid;

    public override int PayloadLength => checked((int)Payload.Length);

    private ReadOnlySequence<byte> Payload => _valid
        ? _payload
        : throw new InvalidOperationException("The payload can only be read inside the deserializer.");

    public override byte[] PayloadAsNewBuffer() => Payload.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => Payload;

    public void Set(ReadOnlySequence<byte> payload) => (_payload, _valid) = (payload, true);

    public void Clear() => (_payload, _valid) = (default, false);
}
