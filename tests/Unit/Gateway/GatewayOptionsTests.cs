using LlmCluster.Gateway;
using LlmCluster.Gateway.Api;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class GatewayOptionsTests
{
    [Fact]
    public void Reads_its_section()
    {
        GatewayOptions options = Bind(("Gateway:ModelPath", "/models/demo/"), ("Gateway:Url", "http://0.0.0.0:9"), ("Gateway:RequestTimeout", "00:00:05"), ("Gateway:MaxBodyBytes", "2048"));

        Assert.Equal(("demo", "http://0.0.0.0:9", TimeSpan.FromSeconds(5), 2048L), (options.ServedModelName, options.Url, options.RequestTimeout, options.MaxBodyBytes));
        Assert.Equal("named", (options with { ModelName = "named" }).ServedModelName);
    }

    [Theory]
    [InlineData("Url", "8080")]
    [InlineData("Url", "https://127.0.0.1:1")]
    [InlineData("ModelPath", "")]
    [InlineData("MaxBodyBytes", "5")]
    [InlineData("MaxBodyBytes", "many")]
    [InlineData("RequestTimeout", "00:00:00")]
    [InlineData("PrefillTimeout", "-00:00:01")]
    [InlineData("ConnectTimeout", "soon")]
    [InlineData("PrefillAttempts", "0")]
    [InlineData("Placement", "random")]
    [InlineData("MaxChoices", "0")]
    [InlineData("MaxSequences", "1000000")]
    public void Names_the_key_that_is_wrong(string key, string value)
    {
        var e = Assert.Throws<GatewayOptionsException>(() => Bind([($"Gateway:{key}", value), .. key == "ModelPath" ? [] : new[] { ("Gateway:ModelPath", "/m") }]));

        Assert.Contains($"Gateway:{key}", e.Message, StringComparison.Ordinal);
        Assert.Contains(value, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("abc-1_2.3:4/5", "abc-1_2.3:4/5")]
    [InlineData("a b\r\nEvil: 1", "abEvil:1")]
    [InlineData("é\u0000", "")]
    public void Cleans_request_ids(string id, string expected) => Assert.Equal(expected, RequestIds.Clean(id));

    [Fact]
    public void Shortens_request_ids() => Assert.Equal(128, RequestIds.Clean(new string('x', 1000)).Length);

    private static GatewayOptions Bind(params (string Key, string Value)[] settings) => GatewayOptions.Bind(
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build());
}
