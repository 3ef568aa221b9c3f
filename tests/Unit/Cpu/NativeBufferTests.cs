using LlmCluster.Inference.Cpu;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class NativeBufferTests
{
    [Theory]
    [InlineData(0, 64)]
    [InlineData(1, 64)]
    [InlineData(1000, 64)]
    [InlineData(1 << 20, 2 << 20)]
    [InlineData((2 << 20) + 1, 2 << 20)]
    public void Memory_is_zero_and_begins_with_its_page_or_line(long bytes, long alignment)
    {
        using var buffer = new NativeBuffer(bytes);
        Assert.Equal(bytes, buffer.Bytes);
        Assert.Equal(0, (long)buffer.Pointer % alignment);
        Assert.False(new ReadOnlySpan<byte>(buffer.Pointer, (int)bytes).ContainsAnyExcept((byte)0));
    }
}
