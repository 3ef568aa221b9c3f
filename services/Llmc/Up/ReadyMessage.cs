using System.Text.Json;
using LlmCluster.CommandLine.Hosting;

namespace LlmCluster.CommandLine.Up;

/// <summary>What the user reads when the cluster serves.</summary>
internal static class ReadyMessage
{
    /// <summary>The message's lines; the first one is what programs wait for.</summary>
    /// <param name="gateway">Where the gateway listens.</param>
    /// <param name="options">What runs.</param>
    /// <param name="how">Whether in one process or several.</param>
    public static IEnumerable<string> Lines(Uri gateway, UpOptions options, string how)
    {
        string url = ListenAddress.Text(GatewayReadiness.Reachable(gateway));
        string model = JsonEncodedText.Encode(options.ModelName).ToString();
        yield return $"Ready: {url}";
        yield return $"Model {options.ModelName} on {options.Workers} worker{(options.Workers.Total == 1 ? "" : "s")}, {how}. Ctrl-C ends it. Try:";
        yield return $"  curl {url}/v1/chat/completions -H 'Content-Type: application/json' -d "
            + $$"""'{"model": "{{model}}", "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 32}'""";
    }
}
