using System.Text;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;
using Xunit;

namespace LlmCluster.Tests.Unit.Api;

public sealed class CompletionRequestTests
{
    private static readonly RequestLimits Limits = new() { VocabSize = 512, MaxChoices = 8, MaxPrompts = 4, MaxSequences = 16 };

    [Fact]
    public void Reads_every_parameter()
    {
        CompletionRequest request = Parse("""
            {"model": "m", "prompt": "Hello", "n": 2, "max_tokens": 7, "min_tokens": 3, "temperature": 0.5, "top_p": 0.9, "top_k": 40,
             "min_p": 0.1, "repetition_penalty": 1.5, "presence_penalty": -1, "frequency_penalty": 2, "logit_bias": {"3": -100, "4": 1.5},
             "seed": -9007199254740993, "stop": ["a", "b"], "stop_token_ids": [5, 6], "include_stop_str_in_output": true, "ignore_eos": true,
             "skip_special_tokens": false, "add_special_tokens": false, "return_token_ids": true, "cache_salt": "tenant", "priority": 3,
             "stream": true, "stream_options": {"include_usage": true}, "logprobs": 5, "user": "u", "what_is_this": {"a": [1]}}
            """);

        GenerationParameters p = request.Parameters;
        Assert.Equal([new PromptInput("Hello", null)], request.Prompts);
        Assert.Equal(("m", 2, 7, 3), (p.Model, p.Choices, p.MaxTokens, p.MinTokens));
        Assert.Equal((0.5f, 0.9f, 40, 0.1f, 1.5f), (p.Temperature, p.TopP, p.TopK, p.MinP, p.RepetitionPenalty));
        Assert.Equal((-1f, 2f, -9007199254740993L), (p.PresencePenalty, p.FrequencyPenalty, p.Seed));
        Assert.Equal(new Dictionary<int, float> { [3] = -100, [4] = 1.5f }, p.LogitBias);
        Assert.Equal(["a", "b"], p.Stop);
        Assert.Equal([5, 6], p.StopTokenIds);
        Assert.True(p.IncludeStopInOutput && p.IgnoreEos && p.ReturnTokenIds && p.Stream && p.IncludeUsage);
        Assert.False(p.SkipSpecialTokens || p.AddSpecialTokens);
        Assert.Equal(("tenant", 3, 5), (p.CacheSalt, p.Priority, p.TopLogprobs));
    }

    [Fact]
    public void Leaves_what_is_not_given_to_others()
    {
        GenerationParameters p = Parse("""{"model": "m", "prompt": "x", "temperature": null, "stop": null, "n": null}""").Parameters;

        Assert.Equal((1, null, null, null, null, -1), (p.Choices, p.MaxTokens, p.Temperature, p.TopP, p.Seed, p.TopLogprobs));
        Assert.True(p.AddSpecialTokens && p.SkipSpecialTokens);
        Assert.Empty(p.Stop);
    }

    [Theory]
    [InlineData("""["a", "b"]""", "a|b")]
    [InlineData("[1, 2, 3]", "1,2,3")]
    [InlineData("[[1, 2], [3]]", "1,2|3")]
    [InlineData("""[[1, 511], "b"]""", "1,511|b")]
    [InlineData("[1.0, 2e0]", "1,2")]
    public void Reads_every_form_of_prompt(string prompt, string expected)
    {
        CompletionRequest request = Parse($$"""{"model": "m", "prompt": {{prompt}}}""");

        Assert.Equal(expected, string.Join('|', request.Prompts.Select(p => p.Text ?? string.Join(',', p.Tokens!))));
    }

    [Theory]
    [InlineData("""{"model": "m", "prompt": "x",}""", null, "invalid_json", "line 1, byte 30")]
    [InlineData("{\"model\": \"m\",\n  \"prompt\": tru}", null, "invalid_json", "line 2")]
    [InlineData("", null, "invalid_json", "not valid JSON")]
    [InlineData("[]", null, "invalid_type", "must be a JSON object, but it is an array")]
    [InlineData("""{"prompt": "x"}""", "model", "missing_required_parameter", "Missing required parameter: 'model'")]
    [InlineData("""{"model": 5, "prompt": "x"}""", "model", "invalid_type", "expected a string, but got a number")]
    [InlineData("""{"model": "", "prompt": "x"}""", "model", "empty_value", "empty")]
    [InlineData("""{"model": "m"}""", "prompt", "missing_required_parameter", "'prompt'")]
    [InlineData("""{"model": "m", "prompt": 5}""", "prompt", "invalid_type", "expected a string, an array of strings")]
    [InlineData("""{"model": "m", "prompt": ""}""", "prompt", "empty_value", "can't be empty")]
    [InlineData("""{"model": "m", "prompt": []}""", "prompt", "empty_value", "array is empty")]
    [InlineData("""{"model": "m", "prompt": [[]]}""", "prompt.0", "empty_value", "can't be empty")]
    [InlineData("""{"model": "m", "prompt": ["a", 5]}""", "prompt.1", "invalid_type", "a string or an array of token ids")]
    [InlineData("""{"model": "m", "prompt": [1, "a"]}""", "prompt.1", "invalid_type", "an integer")]
    [InlineData("""{"model": "m", "prompt": [[1, 2], [3, -1]]}""", "prompt.1.1", "below_min_value", "below the minimum of 0")]
    [InlineData("""{"model": "m", "prompt": [512]}""", "prompt.0", "above_max_value", "above the maximum of 511")]
    [InlineData("""{"model": "m", "prompt": [1.5]}""", "prompt.0", "invalid_type", "expected an integer")]
    [InlineData("""{"model": "m", "prompt": ["a", "b", "c", "d", "e"]}""", "prompt", "array_above_max_length", "maximum of 4")]
    [InlineData("""{"model": "m", "prompt": ["a", "b", "c"], "n": 6}""", "prompt", "array_above_max_length", "16 sequences")]
    [InlineData("""{"model": "m", "prompt": "\ud800"}""", "prompt", "invalid_value", "surrogate")]
    [InlineData("""{"model": "m", "prompt": "x", "max_tokens": -1}""", "max_tokens", "below_min_value", "-1 is below the minimum of 1")]
    [InlineData("""{"model": "m", "prompt": "x", "max_tokens": 0}""", "max_tokens", "below_min_value", "minimum of 1")]
    [InlineData("""{"model": "m", "prompt": "x", "max_tokens": "7"}""", "max_tokens", "invalid_type", "expected an integer, but got a string")]
    [InlineData("""{"model": "m", "prompt": "x", "max_tokens": 1e99}""", "max_tokens", "invalid_type", "64 bits")]
    [InlineData("""{"model": "m", "prompt": "x", "max_tokens": 5, "min_tokens": 6}""", "min_tokens", "above_max_value", "more than the 5 tokens")]
    [InlineData("""{"model": "m", "prompt": "x", "temperature": 2.1}""", "temperature", "above_max_value", "2.1 is above the maximum of 2")]
    [InlineData("""{"model": "m", "prompt": "x", "temperature": -0.1}""", "temperature", "below_min_value", "at least 0")]
    [InlineData("""{"model": "m", "prompt": "x", "temperature": true}""", "temperature", "invalid_type", "expected a number, but got a boolean")]
    [InlineData("""{"model": "m", "prompt": "x", "top_p": 0}""", "top_p", "below_min_value", "above 0")]
    [InlineData("""{"model": "m", "prompt": "x", "top_p": 1.01}""", "top_p", "above_max_value", "maximum of 1")]
    [InlineData("""{"model": "m", "prompt": "x", "top_k": -2}""", "top_k", "below_min_value", "minimum of -1")]
    [InlineData("""{"model": "m", "prompt": "x", "min_p": 2}""", "min_p", "above_max_value", "maximum of 1")]
    [InlineData("""{"model": "m", "prompt": "x", "repetition_penalty": 0}""", "repetition_penalty", "below_min_value", "above 0")]
    [InlineData("""{"model": "m", "prompt": "x", "presence_penalty": 3}""", "presence_penalty", "above_max_value", "maximum of 2")]
    [InlineData("""{"model": "m", "prompt": "x", "frequency_penalty": -2.5}""", "frequency_penalty", "below_min_value", "at least -2")]
    [InlineData("""{"model": "m", "prompt": "x", "n": 0}""", "n", "below_min_value", "minimum of 1")]
    [InlineData("""{"model": "m", "prompt": "x", "n": 9}""", "n", "above_max_value", "maximum of 8")]
    [InlineData("""{"model": "m", "prompt": "x", "seed": 1.5}""", "seed", "invalid_type", "integer")]
    [InlineData("""{"model": "m", "prompt": "x", "logprobs": 21}""", "logprobs", "above_max_value", "maximum of 20")]
    [InlineData("""{"model": "m", "prompt": "x", "logprobs": true}""", "logprobs", "invalid_type", "an integer, but got a boolean")]
    [InlineData("""{"model": "m", "prompt": "x", "stop": ["a", "b", "c", "d", "e"]}""", "stop", "array_above_max_length", "maximum of 4")]
    [InlineData("""{"model": "m", "prompt": "x", "stop": ["a", ""]}""", "stop.1", "empty_value", "can't be empty")]
    [InlineData("""{"model": "m", "prompt": "x", "stop": 5}""", "stop", "invalid_type", "a string or an array of strings")]
    [InlineData("""{"model": "m", "prompt": "x", "stop": ["a", 5]}""", "stop.1", "invalid_type", "a string")]
    [InlineData("""{"model": "m", "prompt": "x", "stop_token_ids": [600]}""", "stop_token_ids.0", "above_max_value", "maximum of 511")]
    [InlineData("""{"model": "m", "prompt": "x", "logit_bias": {"abc": 1}}""", "logit_bias", "invalid_value", "'abc' is not a token id")]
    [InlineData("""{"model": "m", "prompt": "x", "logit_bias": {"512": 1}}""", "logit_bias", "invalid_value", "0 to 511")]
    [InlineData("""{"model": "m", "prompt": "x", "logit_bias": {"5": 101}}""", "logit_bias.5", "above_max_value", "maximum of 100")]
    [InlineData("""{"model": "m", "prompt": "x", "logit_bias": {"5": null}}""", "logit_bias.5", "missing_required_parameter", "'logit_bias.5'")]
    [InlineData("""{"model": "m", "prompt": "x", "logit_bias": [1]}""", "logit_bias", "invalid_type", "an object, but got an array")]
    [InlineData("""{"model": "m", "prompt": "x", "stream": "yes"}""", "stream", "invalid_type", "a boolean")]
    [InlineData("""{"model": "m", "prompt": "x", "stream_options": {"include_usage": true}}""", "stream_options", "invalid_value", "only when 'stream' is true")]
    [InlineData("""{"model": "m", "prompt": "x", "stream": true, "stream_options": {"include_usage": 1}}""", "stream_options.include_usage", "invalid_type", "a boolean")]
    [InlineData("""{"model": "m", "prompt": "x", "priority": 101}""", "priority", "above_max_value", "100")]
    [InlineData("""{"model": "m", "prompt": "x", "cache_salt": ""}""", "cache_salt", "empty_value", "leave it out")]
    [InlineData("""{"model": "m", "prompt": "x", "echo": true}""", "echo", "unsupported_parameter", "only false")]
    [InlineData("""{"model": "m", "prompt": "x", "best_of": 3}""", "best_of", "unsupported_parameter", "'n'")]
    [InlineData("""{"model": "m", "prompt": "x", "suffix": "end"}""", "suffix", "unsupported_parameter", "insertion")]
    [InlineData("""{"model": "m", "prompt": "x", "guided_json": {}}""", "guided_json", "unsupported_parameter", "constrained decoding")]
    [InlineData("""{"model": "m", "prompt": "x", "response_format": {"type": "json_object"}}""", "response_format", "unsupported_parameter", "text")]
    public void Refuses_what_is_wrong_and_names_it(string body, string? param, string code, string message)
    {
        ApiError error = Assert.Throws<ApiException>(() => Parse(body)).Error;

        Assert.Equal((400, ApiErrorTypes.InvalidRequest, param, code), (error.Status, error.Type, error.Param, error.Code));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"best_of\": 2, \"n\": 2")]
    [InlineData("\"echo\": false, \"suffix\": \"\", \"response_format\": {\"type\": \"text\"}")]
    [InlineData("\"top_k\": -1")]
    [InlineData("\"logit_bias\": {}")]
    [InlineData("\"stop\": []")]
    public void Accepts_unsupported_features_that_are_off(string fields) =>
        Assert.NotNull(Parse($$"""{"model": "m", "prompt": "x", {{fields}}}"""));

    [Fact]
    public void Refuses_bytes_that_are_not_utf8()
    {
        byte[] body = [.. """{"model": "m", "prompt": "a"""u8, 0xC3, 0x28, .. "\"}"u8];

        ApiError error = Assert.Throws<ApiException>(() => CompletionRequest.Parse(body, Limits)).Error;

        Assert.Equal(400, error.Status);
        Assert.Contains("UTF-8", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Refuses_nesting_without_end()
    {
        ApiError error = Assert.Throws<ApiException>(() => Parse(new string('[', 100_000))).Error;

        Assert.Equal((400, ApiErrorCodes.InvalidJson), (error.Status, error.Code));
    }

    private static CompletionRequest Parse(string body) => CompletionRequest.Parse(Encoding.UTF8.GetBytes(body), Limits);
}
