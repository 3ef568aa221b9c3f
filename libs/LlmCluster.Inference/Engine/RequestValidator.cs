using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;

namespace LlmCluster.Inference.Engine;

/// <summary>Refuses requests that an engine could never serve, before they take a place in its queue.</summary>
internal static class RequestValidator
{
    /// <exception cref="GenerationException">With the field and the figures.</exception>
    public static void Validate(GenerationRequest request, ModelConfig model, BlockPool pool)
    {
        ArgumentNullException.ThrowIfNull(request);
        int length = request.Prompt.Length;
        Require(length > 0, "The prompt is empty; it must have at least one token.");
        Require(
            length < model.MaxPositions,
            $"The prompt has {length} tokens; the model's context is {model.MaxPositions} tokens, of which the answer needs at least one.");

        int blocks = (length + pool.BlockSize - 1) / pool.BlockSize;
        Require(
            blocks <= pool.BlockCount,
            $"The prompt has {length} tokens and takes {blocks} KV blocks of {pool.BlockSize} tokens; this worker's pool has {pool.BlockCount}.");

        for (int i = 0; i < length; i++)
        {
            int token = request.Prompt[i];
            if ((uint)token >= (uint)model.VocabSize)
            {
                throw Invalid($"Token {i} of the prompt is {token}; ids go from 0 to {model.VocabSize - 1}.");
            }
        }

        Require(request.MaxTokens >= 1, $"MaxTokens is {request.MaxTokens}; it must be at least 1.");
        Require(request.MinTokens >= 0, $"MinTokens is {request.MinTokens}; it must not be negative.");
        Require(
            request.MinTokens <= request.MaxTokens,
            $"MinTokens is {request.MinTokens} and MaxTokens {request.MaxTokens}; it must not be more.");
        Validate(request.Sampling, model.VocabSize);
    }

    private static void Validate(SamplingOptions options, int vocabSize)
    {
        RequireRange(options.Temperature, 0, 2, nameof(options.Temperature));
        RequireRange(options.MinP, 0, 1, nameof(options.MinP));
        RequireRange(options.PresencePenalty, -2, 2, nameof(options.PresencePenalty));
        RequireRange(options.FrequencyPenalty, -2, 2, nameof(options.FrequencyPenalty));
        Require(options.TopP is > 0 and <= 1, $"TopP is {options.TopP}; it must be over 0 and at most 1.");
        Require(options.TopK >= 0, $"TopK is {options.TopK}; it must be 0 (all) or more.");
        Require(
            float.IsFinite(options.RepetitionPenalty) && options.RepetitionPenalty > 0,
            $"RepetitionPenalty is {options.RepetitionPenalty}; it must be over 0.");
        Require(
            options.TopLogprobs >= -1 && options.TopLogprobs <= vocabSize,
            $"TopLogprobs is {options.TopLogprobs}; it must be between -1 (none) and {vocabSize}.");
        foreach ((int token, float bias) in options.LogitBias ?? new Dictionary<int, float>())
        {
            Require((uint)token < (uint)vocabSize, $"LogitBias names token {token}; ids go from 0 to {vocabSize - 1}.");
            Require(bias is >= -100 and <= 100, $"LogitBias of token {token} is {bias}; it must be between -100 and 100.");
        }
    }

    private static void RequireRange(float value, float lowest, float highest, string name) =>
        Require(value >= lowest && value <= highest, $"{name} is {value}; it must be between {lowest} and {highest}.");

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw Invalid(message);
        }
    }

    private static GenerationException Invalid(string message) => new(GenerationError.InvalidRequest, message);
}
