using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;
using Xunit;

namespace LlmCluster.Tests.Unit.Api;

public class GenerateHeadersTests
{
    [Fact]
    public void What_is_written_is_read()
    {
        string text = GenerateHeaders.FormatUsage(new Usage(12, 7, 5));
        Assert.Equal("prompt=12,cached=5,completion=7", text);
        Assert.True(GenerateHeaders.TryParseUsage(text, out Usage usage));
        Assert.Equal(new Usage(12, 7, 5), usage);
    }

    [Theory]
    [InlineData("")]
    [InlineData("prompt=1,cached=1")]
    [InlineData("prompt=1,cached=1,completion=1,more=1")]
    [InlineData("cached=1,prompt=1,completion=1")]
    [InlineData("prompt=-1,cached=1,completion=1")]
    [InlineData("prompt=1,cached=,completion=1")]
    [InlineData("prompt=1,cached=1,completion=99999999999")]
    public void What_is_no_usage_is_refused(string text) => Assert.False(GenerateHeaders.TryParseUsage(text, out _));
}
