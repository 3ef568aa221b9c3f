using Grpc.Core;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc;

public sealed class MetadataTests
{
    [Fact]
    public void Keys_are_lower_case_and_found_in_any_case()
    {
        var metadata = new Metadata { { "Request-Id", "1" }, { "request-id", "2" }, { "Hash-Bin", [7] } };
        Assert.Equal("request-id", metadata[0].Key);
        Assert.Equal("2", metadata.GetValue("REQUEST-ID"));
        Assert.Equal(["1", "2"], metadata.GetAll("request-id").Select(entry => entry.Value));
        Assert.Equal([7], metadata.GetValueBytes("hash-bin"));
        Assert.Null(metadata.Get("other"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData(":path")]
    public void Impossible_keys_are_refused(string key) => Assert.Throws<ArgumentException>(() => new Metadata.Entry(key, "v"));

    [Fact]
    public void Text_and_bytes_are_not_mixed()
    {
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("a-bin", "text"));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("a", new byte[1]));
        Assert.Throws<InvalidOperationException>(() => new Metadata.Entry("a-bin", new byte[1]).Value);
        Assert.Equal("v"u8.ToArray(), new Metadata.Entry("a", "v").ValueBytes);
    }

    [Fact]
    public void Bytes_are_a_copy()
    {
        byte[] bytes = [1];
        var entry = new Metadata.Entry("a-bin", bytes);
        bytes[0] = 2;
        entry.ValueBytes[0] = 3;
        Assert.Equal([1], entry.ValueBytes);
    }

    [Fact]
    public void The_empty_metadata_stay_empty() => Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("a", "v"));
}
