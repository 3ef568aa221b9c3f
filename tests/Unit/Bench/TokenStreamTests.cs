using System.Diagnostics;
using LlmCluster.Bench.Interference;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;
using LlmCluster.Testing;
using LlmCluster.Tests.Unit.Cpu;
using Xunit;

namespace LlmCluster.Tests.Unit.Bench;

public sealed class TokenStreamTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Another_sequence_follows_one_that_ended_and_the_time_between_both_does_not_count()
    {
        const int length = 3;
        using var checkpoint = new TestModel(TestModel.Even());
        using CpuModel model = CpuModel.Load(checkpoint.Checkpoint, new CpuOptions { Threads = 1 });
        var rig = new MixedRig(model, 16, new EngineOptions());
        using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        int started = 0;
        await using (rig)
        {
            var stream = new TokenStream(
                token => rig.StartAsync(
                    new GenerationRequest
                    {
                        Id = $"{++started}",
                        Prompt = [1, 2, 3],
                        Sampling = new SamplingOptions { Temperature = 0 },
                        MaxTokens = length,
                        IgnoreEos = true,
                    },
                    token),
                end.Token);
            Task reading = stream.ReadAsync();
            await Eventually.TrueAsync(() => stream.HasTokens(3 * length) || reading.IsCompleted, Deadline);
            await end.CancelAsync();
            await reading;
            int tokens = 3 * length;
            while (stream.HasTokens(tokens + 1))
            {
                tokens++;
            }

            int sequences = (tokens + length - 1) / length;
            Assert.InRange(started, sequences, sequences + 1);
            Assert.Equal(tokens - sequences, stream.Gaps(0, Stopwatch.GetTimestamp()).Count());
        }
    }
}
