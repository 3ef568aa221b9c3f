using System.Text.Json.Nodes;

namespace LlmCluster.Tests.Integration.Equality;

/// <summary>
/// A fixed mix of completion requests: greedy and sampled, 1 to 2,000 prompt tokens, shared and disjoint prefixes,
/// penalties, logprobs, several choices.
/// </summary>
internal static class Workload
{
    private const int VocabSize = 512;
    private const int LongestPrompt = 2000;

    /// <summary>Makes the requests; the same seed gives the same ones.</summary>
    public static IReadOnlyList<JsonObject> Create(string model, int count, int seed)
    {
        var random = new Random(seed);
        int[][] prefixes = [.. Enumerable.Range(0, 4).Select(i => Tokens(random, 100 + (i * 400)))];
        return [.. Enumerable.Range(0, count).Select(i => Request(model, i, random, prefixes))];
    }

    private static JsonObject Request(string model, int index, Random random, int[][] prefixes)
    {
        var request = new JsonObject
        {
            ["model"] = model,
            ["prompt"] = new JsonArray([.. Prompt(index, random, prefixes).Select(t => JsonValue.Create(t))]),
            ["max_tokens"] = 1 + random.Next(24),
            ["return_token_ids"] = true,
            ["ignore_eos"] = index % 3 == 0,
        };
        if (index % 2 == 0)
        {
            request["temperature"] = 0;
        }
        else
        {
            request["temperature"] = 0.5 + random.NextDouble();
            request["seed"] = random.Next();
            request["top_p"] = index % 4 == 1 ? 0.9 : 1.0;
            request["top_k"] = index % 8 == 3 ? 40 : 0;
            request["min_p"] = index % 8 == 7 ? 0.05 : 0;
        }

        if (index % 5 == 0)
        {
            request["logprobs"] = 3;
        }

        if (index % 7 == 0)
        {
            request["repetition_penalty"] = 1.2;
            request["frequency_penalty"] = 0.3;
            request["presence_penalty"] = 0.2;
        }

        if (index % 11 == 0)
        {
            request["n"] = 2;
        }

        return request;
    }

    private static int[] Prompt(int index, Random random, int[][] prefixes)
    {
        // The ends of the range and the block boundaries first, then whatever comes.
        int[] edges = [1, 2, 15, 16, 17, 31, 32, 33, 511, 512, 513, LongestPrompt - 1, LongestPrompt];
        if (index < edges.Length)
        {
            return Tokens(random, edges[index]);
        }

        if (index % 2 == 0)
        {
            int[] prefix = prefixes[random.Next(prefixes.Length)];
            return [.. prefix, .. Tokens(random, 1 + random.Next(LongestPrompt - prefix.Length))];
        }

        return Tokens(random, 1 + (int)(Math.Pow(random.NextDouble(), 2) * (LongestPrompt - 1)));
    }

    private static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(VocabSize))];
}
