using LlmCluster.Cluster.Redis;
using Xunit;

namespace LlmCluster.Tests.Unit.Cluster;

public sealed class RedisAddressTests
{
    [Theory]
    [InlineData("redis://localhost", "localhost", 6379, false, 0, null)]
    [InlineData("localhost", "localhost", 6379, false, 0, null)]
    [InlineData("10.1.2.3:7000", "10.1.2.3", 7000, false, 0, null)]
    [InlineData("redis://cache:7000/3", "cache", 7000, false, 3, null)]
    [InlineData("rediss://:p%40ss%3Aword@cache", "cache", 6379, true, 0, "p@ss:word")]
    [InlineData("redis://default:secret@cache:1/", "cache", 1, false, 0, "secret")]
    [InlineData("redis://[::1]:7000", "::1", 7000, false, 0, null)]
    public void ReadsUrls(string url, string host, int port, bool tls, int database, string? password) =>
        Assert.Equal(new RedisAddress(host, port, tls, database, password), RedisAddress.Parse(url));

    [Fact]
    public void AsTextIsTheAddressWithoutThePassword()
    {
        Assert.Equal("cache:7000", RedisAddress.Parse("redis://:secret@cache:7000/2").ToString());
        Assert.Equal("[::1]:6379", RedisAddress.Parse("redis://[::1]").ToString());
    }
}
