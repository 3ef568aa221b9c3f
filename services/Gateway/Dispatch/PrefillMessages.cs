using LlmCluster.Api.Generate;
using LlmCluster.Inference.Sampling;
using LlmCluster.Protocol.V1;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Requests as messages of the prefill service.</summary>
internal static class PrefillMessages
{
    /// <summary>The message for one sequence.</summary>
    /// <param name="plan">The request.</param>
    /// <param name="sequence">The sequence.</param>
    /// <param name="epoch">Number of the attempt, from 1.</param>
    /// <param name="decodeEndpoint">gRPC address of the decode worker.</param>
    /// <param name="fetchEndpoint">gRPC address of a worker that is thought to hold more of the prompt's blocks; null for none.</param>
    public static PrefillRequest Create(RequestPlan plan, GenerateSequence sequence, int epoch, Uri decodeEndpoint, Uri? fetchEndpoint = null)
    {
        LocalGeneration local = plan.Local;
        var request = new PrefillRequest
        {
            Id = new SequenceId { RequestId = plan.Generate.RequestId, Index = sequence.Index, Epoch = epoch },
            Sampling = ToMessage(local.Sampling, sequence.Seed),
            MaxTokens = sequence.MaxTokens,
            MinTokens = local.MinTokens,
            IgnoreEos = local.IgnoreEos,
            CacheSalt = local.CacheSalt,
            Priority = local.Priority,
            Kind = (RequestKind)local.Kind,
            Tenant = local.Tenant,
            DecodeEndpoint = decodeEndpoint.GetLeftPart(UriPartial.Authority),
            FetchEndpoint = fetchEndpoint?.GetLeftPart(UriPartial.Authority) ?? "",
        };
        request.Prompt.AddRange(local.Prompts[sequence.Prompt]);
        request.StopTokenIds.AddRange(local.StopTokenIds);
        return request;
    }

    private static Sampling ToMessage(SamplingOptions options, ulong seed)
    {
        var message = new Sampling
        {
            Temperature = options.Temperature,
            TopP = options.TopP,
            TopK = options.TopK,
            MinP = options.MinP,
            RepetitionPenalty = options.RepetitionPenalty,
            PresencePenalty = options.PresencePenalty,
            FrequencyPenalty = options.FrequencyPenalty,
            Seed = seed,
            TopLogprobs = options.TopLogprobs,
        };
        foreach ((int token, float bias) in options.LogitBias ?? new Dictionary<int, float>())
        {
            message.LogitBias[token] = bias;
        }

        return message;
    }
}
