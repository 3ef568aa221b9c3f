namespace LlmCluster.Api.Responses;

/// <summary>What both formats of log probabilities share.</summary>
internal static class Logprobs
{
    /// <summary>Stands for the logarithm of zero, which JSON can't express; OpenAI's value.</summary>
    public const float Least = -9999f;

    public static float Finite(float? logprob) => logprob is { } value && value > Least ? value : Least;
}
