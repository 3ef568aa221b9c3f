using System.Net.Http.Json;
using System.Text.Json;
using Grpc.Net.Client;
using LlmCluster.Api.Generate;
using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using LlmCluster.KvTransfer;
using LlmCluster.Protocol.V1;
using LlmCluster.Testing;
using LlmCluster.Worker;
using Xunit;

namespace LlmCluster.Tests.Integration.Worker;

/// <summary>A decode worker that computes short prompts itself, beside sequences that others hand over to it.</summary>
public sealed class LocalGenerationTests(WorkerFixture fixture) : IClassFixture<WorkerFixture>
{
    [Fact]
    public async Task A_decode_worker_computes_prompts_to_the_same_bits()
    {
        await using var state = new InMemoryClusterState();
        await using WorkerApp prefill = await fixture.StartAsync(WorkerRole.Prefill, state);
        await using WorkerApp pair = await fixture.StartAsync(WorkerRole.Decode, state);
        await using WorkerApp both = await fixture.StartAsync(WorkerRole.Decode, state);
        LocalGeneration[] workload = [.. Enumerable.Range(0, 20).Select(Workload)];

        // All handed over to one worker; half of them to the other, which computes the rest itself, all at once.
        string[] expected = await Task.WhenAll(workload.Select((local, i) => HandOverAsync(prefill, pair, $"a{i}", local)));
        string[] mixed = await Task.WhenAll(workload.Select((local, i) =>
            i % 2 == 0 ? GenerateAsync(both, $"b{i}", local, isLocal: true) : HandOverAsync(prefill, both, $"b{i}", local)));
        Assert.Equal(expected, mixed);

        JsonElement status;
        using (var http = new HttpClient { BaseAddress = both.Info.HttpEndpoint })
        {
            status = await http.GetFromJsonAsync<JsonElement>("/internal/status");
        }

        Assert.True(status.GetProperty("prefill_rate").GetDouble() > 0);
        Assert.True(status.GetProperty("step_time").GetDouble() > 0);
        Assert.True(status.GetProperty("transfer_rate").GetDouble() > 0);
        await Eventually.TrueAsync(async () => (await state.GetWorkersAsync()).Single(w => w.Info.Id == prefill.Info.Id).Load
            is { PrefillRate: > 0, TransferRate: > 0 });
        Assert.Equal(both.Engine.Runner.KvStore.Layout.BlockBytes, both.Info.BlockBytes);
        foreach (WorkerApp worker in new[] { prefill, pair, both })
        {
            await Eventually.TrueAsync(() => worker.Engine.Pool.Counts.Referenced == 0);
        }
    }

    private static LocalGeneration Workload(int i)
    {
        var random = new Random(i);
        return new LocalGeneration
        {
            // A shared beginning, so that some find blocks.
            Prompts = [[.. Enumerable.Range(0, i % 3 * 20), .. Enumerable.Range(0, 2 + random.Next(150)).Select(_ => random.Next(512))]],
            Sampling = i % 3 == 0
                ? new SamplingOptions { Temperature = 0, TopLogprobs = 3 }
                : new SamplingOptions { Temperature = 1.2f, TopP = 0.95f, Seed = (ulong)i, FrequencyPenalty = 0.3f, TopLogprobs = 2 },
            IgnoreEos = true,
        };
    }

    private static async Task<string> HandOverAsync(WorkerApp prefill, WorkerApp decode, string id, LocalGeneration local)
    {
        Task<string> answer = GenerateAsync(decode, id, local, isLocal: false);
        using GrpcChannel channel = GrpcChannel.ForAddress(prefill.Info.GrpcEndpoint);
        GenerationRequest request = local.ToGeneration(id, Sequence(local));
        PrefillRequest message = SequenceMapping.ToPrefillRequest(request, new SequenceId { RequestId = id, Epoch = 1 }, decode.Info.GrpcEndpoint);
        await new Prefill.PrefillClient(channel).PrefillAsync(message, deadline: DateTime.UtcNow + Eventually.DefaultDeadline);
        return await answer;
    }

    private static GenerateSequence Sequence(LocalGeneration local) => new(0, 0, local.Sampling.Seed, MaxTokens: 3 + (local.Prompts[0].Length % 20));

    private static async Task<string> GenerateAsync(WorkerApp worker, string id, LocalGeneration local, bool isLocal)
    {
        var request = new GenerateRequest
        {
            RequestId = id,
            Answer = new AnswerHeader("id", AnswerKind.Completion, "tiny", 1),
            Options = new AnswerOptions { ReturnTokenIds = true, TopLogprobs = local.Sampling.TopLogprobs },
            Sequences = [Sequence(local)],
            Local = isLocal ? local : null,
        };
        using var http = new HttpClient { BaseAddress = worker.Info.HttpEndpoint };
        using HttpResponseMessage response = await http.PostAsync(GenerateRequest.Path, new ByteArrayContent(GenerateJson.Write(request)));
        string body = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, body);
        return JsonElement.Parse(body).GetProperty("choices").GetRawText();
    }
}
