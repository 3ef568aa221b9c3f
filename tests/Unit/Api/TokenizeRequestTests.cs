using System.Text;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;
using Xunit;

namespace LlmCluster.Tests.Unit.Api;

public sealed class TokenizeRequestTests
{
    [Fact]
    public void Reads_text()
    {
        TokenizeRequest request = Parse("""{"prompt": "", "return_token_strs": true}""");

        Assert.Equal((null, "", true, true), (request.Model, request.Prompt, request.AddSpecialTokens, request.ReturnTokenStrings));
    }

    [Fact]
    public void Reads_a_conversation()
    {
        TokenizeRequest request = Parse("""{"model": "m", "messages": [{"role": "user", "content": "x"}], "add_generation_prompt": false}""");

        Assert.Equal(("m", null, false), (request.Model, request.Prompt, request.AddSpecialTokens));
        Assert.False(request.Chat!.AddGenerationPrompt);
    }

    [Theory]
    [InlineData("{}", "prompt")]
    [InlineData("""{"prompt": [1]}""", "prompt")]
    [InlineData("""{"prompt": "x", "messages": [{"role": "user", "content": "x"}]}""", "prompt")]
    [InlineData("""{"prompt": "x", "add_special_tokens": 1}""", "add_special_tokens")]
    public void Refuses_what_is_wrong(string body, string param) =>
        Assert.Equal(param, Assert.Throws<ApiException>(() => Parse(body)).Error.Param);

    [Theory]
    [InlineData("{}", "tokens")]
    [InlineData("""{"tokens": "x"}""", "tokens")]
    [InlineData("""{"tokens": [1, 512]}""", "tokens.1")]
    public void Refuses_wrong_tokens(string body, string param)
    {
        var limits = new RequestLimits { VocabSize = 512 };

        Assert.Equal(param, Assert.Throws<ApiException>(() => DetokenizeRequest.Parse(Encoding.UTF8.GetBytes(body), limits)).Error.Param);
        Assert.Equal([], DetokenizeRequest.Parse("""{"tokens": []}"""u8, limits).Tokens);
    }

    private static TokenizeRequest Parse(string body) => TokenizeRequest.Parse(Encoding.UTF8.GetBytes(body));
}
