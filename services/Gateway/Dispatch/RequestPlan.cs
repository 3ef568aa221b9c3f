using LlmCluster.Api.Generate;
using LlmCluster.Api.Requests;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Models;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Scheduling.Prediction;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>A checked request with its prompts as token ids: all that it takes to place and run it.</summary>
/// <param name="Generate">The request with everything that a worker needs to run it alone.</param>
/// <param name="Local">Its local part, never null.</param>
/// <param name="Caller">Who asks.</param>
internal sealed record RequestPlan(GenerateRequest Generate, LocalGeneration Local, Caller Caller)
{
    /// <summary>Tokens of an answer when a completion request doesn't say; OpenAI's value.</summary>
    public const int DefaultCompletionTokens = 16;

    public int PromptTokens => Local.Prompts.Sum(p => p.Length);

    /// <summary>Most tokens of all answers.</summary>
    public long MaxOutputTokens => Generate.Sequences.Sum(s => (long)s.MaxTokens);

    /// <summary>The request as the gateway's queue sees it.</summary>
    public AdmissionRequest Admission => new(Local.Tenant, Caller.Weight, Caller.Class, Local.Priority, PromptTokens);

    /// <summary>Builds the plan of a request.</summary>
    /// <param name="kind">Which answer is wanted.</param>
    /// <param name="parameters">What the request says.</param>
    /// <param name="prompts">Token ids; each leaves room for at least one more token.</param>
    /// <param name="model">The model.</param>
    /// <param name="contextLength">Longest sequence in tokens.</param>
    /// <param name="created">Now.</param>
    /// <param name="caller">Who asks: decides priority, tenant and whose cached prefixes are used.</param>
    /// <param name="offersTools">Whether the model may call tools.</param>
    public static RequestPlan Create(
        AnswerKind kind,
        GenerationParameters parameters,
        int[][] prompts,
        ServedModel model,
        int contextLength,
        DateTimeOffset created,
        Caller caller,
        bool offersTools = false)
    {
        string id = $"{(kind == AnswerKind.Chat ? "chatcmpl" : "cmpl")}-{Guid.NewGuid():N}";
        var local = new LocalGeneration
        {
            Prompts = prompts,
            Sampling = parameters.ToSampling(model.Defaults, seed: 0),
            MinTokens = parameters.MinTokens,
            StopTokenIds = parameters.IgnoreEos ? parameters.StopTokenIds : [.. model.EosTokenIds.Union(parameters.StopTokenIds)],
            IgnoreEos = parameters.IgnoreEos,
            CacheSalt = caller.CacheSaltOf(parameters),
            Priority = caller.PriorityOf(parameters),
            Kind = kind == AnswerKind.Completion ? RequestKind.Completion : offersTools ? RequestKind.Tools : RequestKind.Chat,
            Tenant = caller.TenantOf(parameters),
        };
        var generate = new GenerateRequest
        {
            // The answer's id and not the client's x-request-id: clients may use that one twice at a time.
            RequestId = id,
            Answer = new AnswerHeader(id, kind, parameters.Model, created.ToUnixTimeSeconds()),
            Options = new AnswerOptions
            {
                Stream = parameters.Stream,
                IncludeUsage = parameters.IncludeUsage,
                Stop = parameters.Stop,
                IncludeStop = parameters.IncludeStopInOutput,
                SkipSpecialTokens = parameters.SkipSpecialTokens,
                ReturnTokenIds = parameters.ReturnTokenIds,
                TopLogprobs = parameters.TopLogprobs,
            },
            Sequences = CreateSequences(kind, parameters, prompts, contextLength),
            Local = local,
        };
        return new RequestPlan(generate, local, caller);
    }

    private static GenerateSequence[] CreateSequences(AnswerKind kind, GenerationParameters parameters, int[][] prompts, int contextLength)
    {
        var sequences = new GenerateSequence[prompts.Length * parameters.Choices];
        for (int i = 0; i < sequences.Length; i++)
        {
            (int prompt, int choice) = Math.DivRem(i, parameters.Choices);
            int room = contextLength - prompts[prompt].Length;
            int maxTokens = parameters.MaxTokens ?? (kind == AnswerKind.Chat ? room : DefaultCompletionTokens);
            ulong seed = parameters.Seed is { } given ? ChoiceSeed.Derive(given, choice) : (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue);
            sequences[i] = new GenerateSequence(i, prompt, seed, Math.Min(maxTokens, room));
        }

        return sequences;
    }
}
