using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.OpenAi;

/// <summary>The official client for JavaScript against a running cluster; the checks are in the scripts.</summary>
[Collection(ClusterCollection.Name)]
public sealed class NodeClientTests(ClusterFixture cluster)
{
    [Theory]
    [InlineData("chat.mjs")]
    [InlineData("completions.mjs")]
    [InlineData("sampling.mjs")]
    [InlineData("logprobs.mjs")]
    [InlineData("models.mjs")]
    [InlineData("errors.mjs")]
    public Task Passes(string script) => NodeScript.RunAsync($"openai/{script}", [cluster.Base.ToString(), cluster.Model]);
}
