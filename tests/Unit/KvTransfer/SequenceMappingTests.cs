using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using LlmCluster.KvTransfer;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing.KvTransfer;
using Xunit;
using EngineLogprob = LlmCluster.Inference.Engine.TokenLogprob;

namespace LlmCluster.Tests.Unit.KvTransfer;

public class SequenceMappingTests
{
    private static readonly GenerationRequest Request = new()
    {
        Id = "r/2#3",
        Prompt = [5, 6, 7],
        Sampling = new SamplingOptions
        {
            Temperature = 0.7f,
            TopP = 0.9f,
            TopK = 40,
            MinP = 0.05f,
            RepetitionPenalty = 1.1f,
            PresencePenalty = -0.5f,
            FrequencyPenalty = 0.25f,
            LogitBias = new Dictionary<int, float> { [3] = -100, [9] = 1.5f },
            Seed = 0xFFFF_FFFF_FFFF_FFFE,
            TopLogprobs = 5,
        },
        MaxTokens = 99,
        MinTokens = 2,
        StopTokenIds = [1, 2],
        IgnoreEos = true,
        CacheSalt = "tenant",
        Priority = 7,
        Kind = LlmCluster.Inference.Scheduling.Prediction.RequestKind.Tools,
        Tenant = "somebody",
    };

    [Fact]
    public void Nothing_of_a_request_is_lost_on_the_way()
    {
        var id = new SequenceId { RequestId = "r", Index = 2, Epoch = 3 };
        PrefillRequest wire = SequenceMapping.ToPrefillRequest(Request, id, new Uri("http://127.0.0.1:9"));
        GenerationRequest back = SequenceMapping.ToGenerationRequest(PrefillRequest.Parser.ParseFrom(ToBytes(wire)), KvContent.Model);
        Assert.Equivalent(Request, back, strict: true);
        Assert.Equal("http://127.0.0.1:9/", wire.DecodeEndpoint);
    }

    [Fact]
    public void A_kind_that_only_newer_gateways_know_is_unknown()
    {
        PrefillRequest wire = SequenceMapping.ToPrefillRequest(Request, new SequenceId { RequestId = "r", Epoch = 1 }, new Uri("http://127.0.0.1:9"));
        wire.Kind = (Protocol.V1.RequestKind)99;
        Assert.Equal(default, SequenceMapping.ToGenerationRequest(wire, KvContent.Model).Kind);
    }

    [Fact]
    public void Nothing_of_the_first_token_is_lost_on_the_way()
    {
        var token = new GeneratedToken(7, FinishReason.Stop, -0.25f, [new EngineLogprob(7, -0.25f), new EngineLogprob(8, -3)]);
        GeneratedToken back = SequenceMapping.ToToken(SequenceMapping.ToCommit(token, 16), wantsLogprobs: true, KvContent.Model);
        Assert.Equal((token.TokenId, token.FinishReason, token.Logprob), (back.TokenId, back.FinishReason, back.Logprob));
        Assert.Equal(token.TopLogprobs, back.TopLogprobs);

        var plain = new GeneratedToken(7, FinishReason.None);
        Assert.Equal(plain, SequenceMapping.ToToken(SequenceMapping.ToCommit(plain, 0), wantsLogprobs: false, KvContent.Model));
    }

    [Fact]
    public void A_first_token_that_can_not_be_is_refused()
    {
        Assert.Throws<KvTransferException>(() => SequenceMapping.ToToken(new KvCommit { FirstToken = 1000 }, false, KvContent.Model));
        Assert.Throws<KvTransferException>(() => SequenceMapping.ToToken(new KvCommit { FirstToken = 1, FinishReason = 9 }, false, KvContent.Model));
    }

    private static byte[] ToBytes(PrefillRequest request)
    {
        using var stream = new MemoryStream();
        Google.Protobuf.MessageExtensions.WriteTo(request, stream);
        return stream.ToArray();
    }
}
