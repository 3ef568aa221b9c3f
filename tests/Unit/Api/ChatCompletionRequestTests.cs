using System.Text;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;
using Xunit;

namespace LlmCluster.Tests.Unit.Api;

public sealed class ChatCompletionRequestTests
{
    private static readonly RequestLimits Limits = new() { VocabSize = 512 };

    [Fact]
    public void Brings_messages_into_the_form_of_templates()
    {
        ChatCompletionRequest request = Parse("""
            {"model": "m", "messages": [
              {"role": "developer", "content": "Be brief."},
              {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "name": "ann"},
              {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": {"y": 2}}}]},
              {"role": "tool", "content": "42", "tool_call_id": "c1"}]}
            """);

        Assert.Equal(
            """
            [{"role":"system","content":"Be brief."},{"role":"user","content":"one\ntwo","name":"ann"},{"role":"assistant","content":"","tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}},"id":"c1"},{"type":"function","function":{"name":"g","arguments":{"y":2}},"id":"c2"}]},{"role":"tool","content":"42","tool_call_id":"c1"}]
            """,
            request.Prompt.Messages.ToJsonString(new() { TypeInfoResolver = new System.Text.Json.Serialization.Metadata.DefaultJsonTypeInfoResolver() }));
        Assert.True(request.Prompt.AddGenerationPrompt);
        Assert.False(request.Parameters.AddSpecialTokens);
    }

    [Fact]
    public void Passes_tools_and_template_arguments_on()
    {
        ChatCompletionRequest request = Parse("""
            {"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": "auto", "chat_template_kwargs": {"enable_thinking": false},
             "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}
            """);

        Assert.Equal("f", (string?)request.Prompt.Tools![0]!["function"]!["name"]);
        Assert.False((bool)request.Prompt.TemplateArguments!["enable_thinking"]!);
    }

    [Fact]
    public void Hides_tools_that_must_not_be_called()
    {
        ChatCompletionRequest request = Parse("""
            {"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": "none", "tools": [{"type": "function", "function": {"name": "f"}}]}
            """);

        Assert.Null(request.Prompt.Tools);
    }

    [Theory]
    [InlineData("false", "0", -1)]
    [InlineData("true", "0", 0)]
    [InlineData("true", "null", 0)]
    [InlineData("true", "20", 20)]
    public void Reads_log_probabilities(string logprobs, string top, int expected)
    {
        ChatCompletionRequest request = Parse($$"""{"model": "m", "messages": [{"role": "user", "content": "x"}], "logprobs": {{logprobs}}, "top_logprobs": {{top}}}""");

        Assert.Equal(expected, request.Parameters.TopLogprobs);
    }

    [Fact]
    public void Prefers_the_newer_name_of_the_limit()
    {
        ChatCompletionRequest request = Parse("""{"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "max_completion_tokens": 9}""");

        Assert.Equal(9, request.Parameters.MaxTokens);
    }

    [Theory]
    [InlineData("", "messages", "missing_required_parameter", "'messages'")]
    [InlineData("\"messages\": []", "messages", "empty_value", "at least one message")]
    [InlineData("\"messages\": {}", "messages", "invalid_type", "an array, but got an object")]
    [InlineData("\"messages\": [5]", "messages.0", "invalid_type", "an object, but got a number")]
    [InlineData("\"messages\": [{\"content\": \"x\"}]", "messages.0.role", "missing_required_parameter", "'messages.0.role'")]
    [InlineData("\"messages\": [{\"role\": \"king\", \"content\": \"x\"}]", "messages.0.role", "invalid_value", "'king' is not a role")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"user\"}]", "messages.1.content", "missing_required_parameter", "'messages.1.content'")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"user\", \"content\": 7}]", "messages.1.content", "invalid_type", "a string or an array of content parts, but got a number")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": {}}]}]", "messages.0.content.0.type", "unsupported_parameter", "\"image_url\"")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\"}]}]", "messages.0.content.0.text", "missing_required_parameter", "text")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\", \"tool_calls\": []}]", "messages.0.tool_calls", "invalid_value", "assistant")]
    [InlineData("\"messages\": [{\"role\": \"assistant\", \"tool_calls\": [{\"function\": {\"name\": \"f\", \"arguments\": \"{\"}}]}]", "messages.0.tool_calls.0.function.arguments", "invalid_value", "not valid JSON")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"top_logprobs\": 3", "top_logprobs", "invalid_value", "only when 'logprobs' is true")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"logprobs\": 3", "logprobs", "invalid_type", "a boolean, but got a number")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"logprobs\": true, \"top_logprobs\": 21", "top_logprobs", "above_max_value", "maximum of 20")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"max_completion_tokens\": -5", "max_completion_tokens", "below_min_value", "-5 is below the minimum of 1")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tool_choice\": \"required\"", "tool_choice", "unsupported_parameter", "forced")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tool_choice\": {\"type\": \"function\"}", "tool_choice", "unsupported_parameter", "forced")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"tools\": [{\"type\": \"function\", \"function\": {}}]", "tools.0.function.name", "missing_required_parameter", "name")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"response_format\": {\"type\": \"json_schema\"}", "response_format", "unsupported_parameter", "text")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"modalities\": [\"text\", \"audio\"]", "modalities", "unsupported_parameter", "text")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"audio\": {\"voice\": \"a\"}", "audio", "unsupported_parameter", "audio")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"continue_final_message\": true", "continue_final_message", "unsupported_parameter", "only false")]
    [InlineData("\"messages\": [{\"role\": \"user\", \"content\": \"x\"}], \"chat_template_kwargs\": 5", "chat_template_kwargs", "invalid_type", "an object")]
    public void Refuses_what_is_wrong_and_names_it(string fields, string param, string code, string message)
    {
        ApiError error = Assert.Throws<ApiException>(() => Parse($$"""{"model": "m"{{(fields.Length > 0 ? ", " : "")}}{{fields}}}""")).Error;

        Assert.Equal((400, ApiErrorTypes.InvalidRequest, param, code), (error.Status, error.Type, error.Param, error.Code));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    private static ChatCompletionRequest Parse(string body) => ChatCompletionRequest.Parse(Encoding.UTF8.GetBytes(body), Limits);
}
