using FsCheck;
using FsCheck.Fluent;
using Grpc.Core;
using Grpc.Core.Wire;
using Xunit;

namespace LlmCluster.Tests.Unit.Grpc.Wire;

public sealed class MetadataEncodingTests
{
    [Fact]
    public void Bytes_survive_with_and_without_padding() =>
        Prop.ForAll<byte[]>(bytes =>
        {
            string plain = MetadataEncoding.Encode(new Metadata.Entry("k-bin", bytes));
            string padded = Convert.ToBase64String(bytes);
            return !plain.Contains('=') && Decode("k-bin", plain).Single().ValueBytes.SequenceEqual(bytes)
                && Decode("k-bin", padded).Single().ValueBytes.SequenceEqual(bytes);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Binary_values_joined_by_commas_are_taken_apart()
    {
        Metadata metadata = Decode("k-bin", "AQI, AwQ=,");
        Assert.Equal([[1, 2], [3, 4], []], metadata.Select(entry => entry.ValueBytes));
    }

    [Fact]
    public void Text_is_left_as_it_is() => Assert.Equal("a, b", Decode("k", "a, b").Single().Value);

    [Theory]
    [InlineData("%%%")]
    [InlineData("A")]
    public void What_is_not_base64_is_refused_by_name(string value)
    {
        RpcException exception = Assert.Throws<RpcException>(() => Decode("trace-bin", value));
        Assert.Contains("trace-bin", exception.Status.Detail);
    }

    [Theory]
    [InlineData(":path")]
    [InlineData("grpc-timeout")]
    [InlineData("Grpc-Status")]
    [InlineData("content-type")]
    [InlineData("te")]
    [InlineData("odd!name")]
    public void Headers_of_the_protocol_are_no_metadata(string name) => Assert.False(GrpcHeaders.IsMetadata(name));

    [Theory]
    [InlineData("application/grpc", true)]
    [InlineData("application/grpc+proto", true)]
    [InlineData("application/grpc; charset=utf-8", true)]
    [InlineData("application/grpc-web", false)]
    [InlineData("application/json", false)]
    [InlineData(null, false)]
    public void Content_types_are_told_apart(string? contentType, bool isGrpc) =>
        Assert.Equal(isGrpc, GrpcHeaders.IsGrpcContentType(contentType));

    private static Metadata Decode(string name, string value)
    {
        var metadata = new Metadata();
        MetadataEncoding.Decode(metadata, name, value);
        return metadata;
    }
}
