using System.Globalization;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Sampling;
using LlmCluster.Protocol.V1;
using EngineKind = LlmCluster.Inference.Scheduling.Prediction.RequestKind;
using EngineLogprob = LlmCluster.Inference.Engine.TokenLogprob;
using WireKind = LlmCluster.Protocol.V1.RequestKind;
using WireLogprob = LlmCluster.Protocol.V1.TokenLogprob;

namespace LlmCluster.KvTransfer;

/// <summary>Between the wire's description of a sequence and the engine's.</summary>
public static class SequenceMapping
{
    /// <summary>The engine's request for a sequence.</summary>
    /// <param name="sequence">The sequence as the gateway asked for it.</param>
    /// <param name="model">The model that serves it.</param>
    /// <exception cref="KvTransferException">A field is missing or out of range; the message names it.</exception>
    public static GenerationRequest ToGenerationRequest(PrefillRequest sequence, ModelConfig model)
    {
        SequenceId id = sequence.Id ?? throw Invalid("id is missing");
        Require(id.RequestId.Length > 0, "id.request_id is empty");
        Require(id.Index >= 0, $"id.index is {id.Index}; it must not be negative");
        Require(id.Epoch >= 1, $"id.epoch is {id.Epoch}; attempts count from 1");
        Require(sequence.Prompt.Count > 0, "prompt is empty");
        Require(sequence.Prompt.Count <= model.MaxPositions, $"prompt has {sequence.Prompt.Count} tokens; the model's context is {model.MaxPositions}");
        Require(sequence.MaxTokens >= 1, $"max_tokens is {sequence.MaxTokens}; it must be at least 1");
        var prompt = new int[sequence.Prompt.Count];
        sequence.Prompt.CopyTo(prompt, 0);
        foreach (int token in prompt)
        {
            Require((uint)token < (uint)model.VocabSize, $"prompt holds token {token}; ids run from 0 to {model.VocabSize - 1}");
        }

        return new GenerationRequest
        {
            Id = string.Create(CultureInfo.InvariantCulture, $"{id.RequestId}/{id.Index}#{id.Epoch}"),
            Prompt = prompt,
            Sampling = ToOptions(sequence.Sampling ?? throw Invalid("sampling is missing")),
            MaxTokens = sequence.MaxTokens,
            MinTokens = sequence.MinTokens,
            StopTokenIds = [.. sequence.StopTokenIds],
            IgnoreEos = sequence.IgnoreEos,
            CacheSalt = sequence.CacheSalt,
            Priority = sequence.Priority,

            // A newer gateway may know more kinds.
            Kind = Enum.IsDefined((EngineKind)sequence.Kind) ? (EngineKind)sequence.Kind : EngineKind.Unknown,
            Tenant = sequence.Tenant,
        };
    }

    /// <summary>The wire's form of a request.</summary>
    /// <param name="request">The sequence; its id is replaced by <paramref name="id"/>.</param>
    /// <param name="id">Request, index and attempt.</param>
    /// <param name="decodeEndpoint">The worker that decodes.</param>
    public static PrefillRequest ToPrefillRequest(GenerationRequest request, SequenceId id, Uri decodeEndpoint)
    {
        SamplingOptions sampling = request.Sampling;
        var result = new PrefillRequest
        {
            Id = id,
            Sampling = new Sampling
            {
                Temperature = sampling.Temperature,
                TopP = sampling.TopP,
                TopK = sampling.TopK,
                MinP = sampling.MinP,
                RepetitionPenalty = sampling.RepetitionPenalty,
                PresencePenalty = sampling.PresencePenalty,
                FrequencyPenalty = sampling.FrequencyPenalty,
                Seed = sampling.Seed,
                TopLogprobs = sampling.TopLogprobs,
            },
            MaxTokens = request.MaxTokens,
            MinTokens = request.MinTokens,
            IgnoreEos = request.IgnoreEos,
            CacheSalt = request.CacheSalt,
            DecodeEndpoint = decodeEndpoint.AbsoluteUri,
            Priority = request.Priority,
            Kind = (WireKind)request.Kind,
            Tenant = request.Tenant,
        };
        result.Prompt.AddRange(request.Prompt);
        result.StopTokenIds.AddRange(request.StopTokenIds);
        if (sampling.LogitBias is { } bias)
        {
            foreach ((int token, float value) in bias)
            {
                result.Sampling.LogitBias.Add(token, value);
            }
        }

        return result;
    }

    /// <summary>The message that hands a sequence over.</summary>
    internal static KvCommit ToCommit(GeneratedToken token, int cachedTokens)
    {
        var commit = new KvCommit { FirstToken = token.TokenId, FinishReason = (int)token.FinishReason, CachedTokens = cachedTokens };
        if (token.Logprob is { } logprob)
        {
            commit.Logprob = logprob;
        }

        foreach (EngineLogprob top in token.TopLogprobs ?? [])
        {
            commit.TopLogprobs.Add(new WireLogprob { Token = top.TokenId, Logprob = top.Logprob });
        }

        return commit;
    }

    /// <summary>The first token that a commit carries.</summary>
    internal static GeneratedToken ToToken(KvCommit commit, bool wantsLogprobs, ModelConfig model)
    {
        var reason = (FinishReason)commit.FinishReason;
        if (!Enum.IsDefined(reason))
        {
            throw new KvTransferException(KvTransferError.Protocol, $"finish_reason is {commit.FinishReason}; 0, 1 and 2 are known.");
        }

        if ((uint)commit.FirstToken >= (uint)model.VocabSize)
        {
            throw new KvTransferException(KvTransferError.Protocol, $"first_token is {commit.FirstToken}; ids run from 0 to {model.VocabSize - 1}.");
        }

        return new GeneratedToken(
            commit.FirstToken,
            reason,
            commit.HasLogprob ? commit.Logprob : null,
            wantsLogprobs ? [.. commit.TopLogprobs.Select(top => new EngineLogprob(top.Token, top.Logprob))] : null);
    }

    private static SamplingOptions ToOptions(Sampling sampling) => new()
    {
        Temperature = sampling.Temperature,
        TopP = sampling.TopP,
        TopK = sampling.TopK,
        MinP = sampling.MinP,
        RepetitionPenalty = sampling.RepetitionPenalty,
        PresencePenalty = sampling.PresencePenalty,
        FrequencyPenalty = sampling.FrequencyPenalty,
        LogitBias = sampling.LogitBias.Count == 0 ? null : new Dictionary<int, float>(sampling.LogitBias),
        Seed = sampling.Seed,
        TopLogprobs = sampling.TopLogprobs,
    };

    private static void Require(bool condition, string problem)
    {
        if (!condition)
        {
            throw Invalid(problem);
        }
    }

    private static KvTransferException Invalid(string problem) =>
        new(KvTransferError.InvalidRequest, $"The sequence can't be served: {problem}.");
}
