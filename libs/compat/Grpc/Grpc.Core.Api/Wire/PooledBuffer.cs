using System.Buffers;

namespace Grpc.Core.Wire;

/// <summary>A buffer writer over one growing array of the shared pool.</summary>
internal sealed class PooledBuffer : IBufferWriter<byte>
{
    private const int SmallestSize = 256;

    private byte[]? _array;

    /// <summary>Bytes written since <see cref="Reset"/>, its prefix included.</summary>
    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _array.AsMemory(0, Length);

    /// <summary>Starts anew with so many bytes left free at the front.</summary>
    public void Reset(int prefix)
    {
        Length = 0;
        EnsureSpace(prefix);
        Length = prefix;
    }

    /// <summary>The bytes left free at the front.</summary>
    public Span<byte> Prefix(int length) => _array.AsSpan(0, length);

    public void EnsureSpace(int count)
    {
        if (_array is not null && _array.Length - Length >= count)
        {
            return;
        }

        long needed = (long)Length + count;
        if (needed > Array.MaxLength)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, $"A message of {needed} bytes can't be sent."));
        }

        int size = (int)Math.Clamp(Math.Max(needed, 2L * (_array?.Length ?? 0)), SmallestSize, Array.MaxLength);
        byte[] larger = ArrayPool<byte>.Shared.Rent(size);
        Written.CopyTo(larger);
        Release();
        _array = larger;
    }

    /// <summary>Gives the array back.</summary>
    public void Release()
    {
        if (_array is { } array)
        {
            _array = null;
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    /// <summary>Drops the array without giving it back, for when something may still read from it.</summary>
    public void Abandon() => _array = null;

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (_array is null || count > _array.Length - Length)
        {
            throw new InvalidOperationException($"Can't advance {count} bytes, past the end of the buffer.");
        }

        Length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureSpace(Math.Max(sizeHint, 1));
        return _array.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        EnsureSpace(Math.Max(sizeHint, 1));
        return _array.AsSpan(Length);
    }
}
