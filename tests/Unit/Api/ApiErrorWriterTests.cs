using LlmCluster.Api.Errors;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace LlmCluster.Tests.Unit.Api;

public sealed class ApiErrorWriterTests
{
    [Theory]
    [InlineData(0.001, "1")]
    [InlineData(1, "1")]
    [InlineData(1.2, "2")]
    [InlineData(86400, "86400")]
    public async Task Says_when_to_try_again_in_whole_seconds(double seconds, string expected)
    {
        HttpResponse response = await WriteAsync(ApiError.TooMany("m", ApiErrorTypes.Tokens, ApiErrorCodes.RateLimitExceeded, TimeSpan.FromSeconds(seconds)));

        Assert.Equal((429, expected), (response.StatusCode, response.Headers.RetryAfter.ToString()));
    }

    [Fact]
    public async Task Says_what_else_a_status_asks_for()
    {
        HttpResponse unauthorized = await WriteAsync(ApiError.Unauthorized("m"));
        HttpResponse overloaded = await WriteAsync(ApiError.Overloaded("m"));

        Assert.Equal(("Bearer", ""), (unauthorized.Headers.WWWAuthenticate.ToString(), unauthorized.Headers.RetryAfter.ToString()));
        Assert.Equal(("", "1"), (overloaded.Headers.WWWAuthenticate.ToString(), overloaded.Headers.RetryAfter.ToString()));
    }

    private static async Task<HttpResponse> WriteAsync(ApiError error)
    {
        HttpResponse response = new DefaultHttpContext().Response;
        await ApiErrorWriter.WriteAsync(response, error);
        return response;
    }
}
