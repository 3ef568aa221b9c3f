using LlmCluster.Api.Generate;
using LlmCluster.Api.Requests;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Dispatch;
using LlmCluster.Gateway.Models;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Protocol.V1;
using NSubstitute;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class RequestPlanTests
{
    private static readonly GenerationParameters Parameters = new() { Model = "m" };
    private static readonly Caller Anonymous = new(new ServiceClass(ServiceClass.Default, new ClassOptions()));

    [Fact]
    public void Makes_a_sequence_for_each_choice_of_each_prompt()
    {
        RequestPlan plan = Create(AnswerKind.Completion, Parameters with { Choices = 2, MaxTokens = 50, Seed = 7 }, [1, 2, 3], [4]);

        Assert.Equal([(0, 0), (1, 0), (2, 1), (3, 1)], plan.Generate.Sequences.Select(s => (s.Index, s.Prompt)));
        Assert.Equal(4, plan.PromptTokens);

        // A prompt's choices don't depend on its neighbours, and the first one has the request's own seed.
        Assert.Equal(7ul, plan.Generate.Sequences[0].Seed);
        Assert.Equal(plan.Generate.Sequences[0].Seed, plan.Generate.Sequences[2].Seed);
        Assert.Equal(plan.Generate.Sequences[1].Seed, plan.Generate.Sequences[3].Seed);
        Assert.NotEqual(plan.Generate.Sequences[0].Seed, plan.Generate.Sequences[1].Seed);
    }

    [Fact]
    public void Draws_seeds_when_there_is_none()
    {
        ulong[] seeds = [.. Enumerable.Range(0, 20).SelectMany(_ => Create(AnswerKind.Chat, Parameters with { Choices = 2 }, [1]).Generate.Sequences).Select(s => s.Seed)];

        Assert.Equal(seeds.Length, seeds.Distinct().Count());
    }

    [Theory]
    [InlineData(AnswerKind.Completion, null, 16)]
    [InlineData(AnswerKind.Completion, 1000, 97)]
    [InlineData(AnswerKind.Chat, null, 97)]
    [InlineData(AnswerKind.Chat, 5, 5)]
    public void Keeps_answers_within_the_context(AnswerKind kind, int? maxTokens, int expected) =>
        Assert.Equal(expected, Create(kind, Parameters with { MaxTokens = maxTokens }, [1, 2, 3]).Generate.Sequences[0].MaxTokens);

    [Fact]
    public void Ends_at_tokens_of_model_tokenizer_and_request()
    {
        Assert.Equal([2, 3, 9, 4], Create(AnswerKind.Chat, Parameters with { StopTokenIds = [4, 2] }, [1]).Local.StopTokenIds);
        Assert.Equal([4], Create(AnswerKind.Chat, Parameters with { StopTokenIds = [4], IgnoreEos = true }, [1]).Local.StopTokenIds);
    }

    [Fact]
    public void Samples_as_the_model_recommends_unless_told_otherwise()
    {
        LocalGeneration silent = Create(AnswerKind.Chat, Parameters, [1]).Local;
        LocalGeneration told = Create(AnswerKind.Chat, Parameters with { Temperature = 0, TopP = 1, TopK = 0 }, [1]).Local;

        Assert.Equal((0.6f, 0.9f, 20, 0f), (silent.Sampling.Temperature, silent.Sampling.TopP, silent.Sampling.TopK, silent.Sampling.MinP));
        Assert.Equal((0f, 1f, 0), (told.Sampling.Temperature, told.Sampling.TopP, told.Sampling.TopK));
    }

    [Theory]
    [InlineData(AnswerKind.Completion, false, 1)]
    [InlineData(AnswerKind.Chat, false, 2)]
    [InlineData(AnswerKind.Chat, true, 3)]
    public void Tells_workers_what_is_asked_for(AnswerKind kind, bool tools, int expected)
    {
        LocalGeneration local = RequestPlan.Create(kind, Parameters with { User = "u", CacheSalt = "s" }, [[1]], NewModel(), 100, default, Anonymous, tools).Local;
        Assert.Equal((expected, "u"), ((int)local.Kind, local.Tenant));
        Assert.Equal((expected, "u"), ((int)local.ToGeneration("r", new GenerateSequence(0, 0, 0, 5)).Kind, local.ToGeneration("r", new GenerateSequence(0, 0, 0, 5)).Tenant));
        Assert.Equal("", Create(kind, Parameters, [1]).Local.Tenant);
    }

    [Fact]
    public void A_key_decides_whose_request_it_is_and_how_soon_it_comes_at_best()
    {
        var caller = new Caller(new ServiceClass("batch", new ClassOptions { Priority = 5 })) { Tenant = "acme" };
        LocalGeneration Local(GenerationParameters p) =>
            RequestPlan.Create(AnswerKind.Chat, p, [[1]], NewModel(), 100, default, caller).Local;

        Assert.Equal([5, 5, 9], new int?[] { null, -3, 9 }.Select(priority => Local(Parameters with { Priority = priority }).Priority));
        Assert.Equal("acme", Local(Parameters with { User = "other" }).Tenant);

        // The lengths keep a tenant's name from being read as another one's and a salt.
        Assert.Equal(["4:acme|", "4:acme|s"], new[] { "", "s" }.Select(salt => Local(Parameters with { CacheSalt = salt }).CacheSalt));
        Assert.Equal((-3, "s"), (RequestPlan.Create(AnswerKind.Chat, Parameters with { Priority = -3, CacheSalt = "s" }, [[1]], NewModel(), 100, default, Anonymous).Local is var l ? (l.Priority, l.CacheSalt) : default));
    }

    [Fact]
    public void Foresees_the_most_tokens_of_all_answers()
    {
        Assert.Equal((4, 2 * (97 + 99)), (Create(AnswerKind.Chat, Parameters with { Choices = 2 }, [1, 2, 3], [4]) is var plan ? (plan.PromptTokens, plan.MaxOutputTokens) : default));
        Assert.Equal(16, Create(AnswerKind.Completion, Parameters, [1]).MaxOutputTokens);
    }

    [Fact]
    public void Tells_prefill_workers_everything()
    {
        RequestPlan plan = Create(
            AnswerKind.Completion,
            Parameters with
            {
                Seed = 5,
                Temperature = 0.5f,
                TopP = 0.25f,
                TopK = 4,
                MinP = 0.125f,
                RepetitionPenalty = 1.5f,
                PresencePenalty = 1,
                FrequencyPenalty = -1,
                LogitBias = new Dictionary<int, float> { [3] = -7 },
                TopLogprobs = 2,
                MinTokens = 1,
                MaxTokens = 9,
                CacheSalt = "salt",
                Priority = -3,
                IgnoreEos = true,
                StopTokenIds = [8],
            },
            [1, 2, 3]);

        PrefillRequest message = PrefillMessages.Create(plan, plan.Generate.Sequences[0], 2, new Uri("http://decode:9/"));

        var expected = new PrefillRequest
        {
            Id = new SequenceId { RequestId = plan.Generate.RequestId, Index = 0, Epoch = 2 },
            Prompt = { 1, 2, 3 },
            Sampling = new Protocol.V1.Sampling
            {
                Temperature = 0.5f,
                TopP = 0.25f,
                TopK = 4,
                MinP = 0.125f,
                RepetitionPenalty = 1.5f,
                PresencePenalty = 1,
                FrequencyPenalty = -1,
                LogitBias = { [3] = -7 },
                Seed = 5,
                TopLogprobs = 2,
            },
            MaxTokens = 9,
            MinTokens = 1,
            StopTokenIds = { 8 },
            IgnoreEos = true,
            CacheSalt = "salt",
            Priority = -3,
            Kind = RequestKind.Completion,
            Tenant = "salt",
            DecodeEndpoint = "http://decode:9",
        };
        Assert.Equal(expected, message);
    }

    private static RequestPlan Create(AnswerKind kind, GenerationParameters parameters, params int[][] prompts) =>
        RequestPlan.Create(kind, parameters, prompts, NewModel(), contextLength: 100, DateTimeOffset.UnixEpoch, Anonymous);

    private static ServedModel NewModel()
    {
        ITokenizer tokenizer = Substitute.For<ITokenizer>();
        tokenizer.EosTokenId.Returns(9);
        var config = new ModelConfig
        {
            Architecture = ModelArchitecture.Llama,
            VocabSize = 64,
            HiddenSize = 8,
            IntermediateSize = 8,
            Layers = 1,
            Heads = 1,
            KvHeads = 1,
            HeadDim = 8,
            MaxPositions = 100,
            RmsNormEps = 1e-5f,
            RopeTheta = 10000,
            TieWordEmbeddings = true,
        };
        var generation = new GenerationDefaults { EosTokenIds = [2, 3], Temperature = 0.6f, TopP = 0.9f, TopK = 20 };
        return new ServedModel("m", DateTimeOffset.UnixEpoch, tokenizer, null, new CheckpointSettings(config, generation));
    }
}
