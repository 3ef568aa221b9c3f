using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

/// <summary>
/// Whatever happens in whatever order: retries, late, repeated and damaged frames, cancellations, eviction, a client
/// that comes first, last or never. Every block stays accounted for and every sequence that runs has the right bytes.
/// </summary>
public class KvReceiverPropertyTests
{
    private static readonly Happening[] Weighted =
    [
        .. Enumerable.Repeat(Happening.Open, 6),
        .. Enumerable.Repeat(Happening.Send, 8),
        .. Enumerable.Repeat(Happening.SendAll, 5),
        .. Enumerable.Repeat(Happening.Receive, 4),
        .. Enumerable.Repeat(Happening.Settle, 5),
        .. Enum.GetValues<Happening>(),
    ];

    [Theory]
    [InlineData(1, 400)]
    [InlineData(2, 400)]
    [InlineData(3, 400)]
    [InlineData(4, 400)]
    [InlineData(5, 400)]
    public async Task Any_interleaving_leaves_every_block_accounted_for(int seed, int runs)
    {
        var random = new Random(seed);
        for (int run = 0; run < runs; run++)
        {
            Step[] steps = [.. Enumerable.Range(0, random.Next(5, 60)).Select(_ => Next(random))];
            if (await TryAsync(steps) is { } failure)
            {
                (steps, failure) = await ShrinkAsync(steps, failure);
                Assert.Fail($"Run {run}: {string.Join(", ", steps)}\n{failure}");
            }
        }
    }

    private static Step Next(Random random) =>
        new(Weighted[random.Next(Weighted.Length)], random.Next(TransferWorld.Sequences), random.Next(4));

    private static async Task<Exception?> TryAsync(Step[] steps)
    {
        await using var world = new TransferWorld();
        try
        {
            await world.RunAsync(steps);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    // Leaves out every step that the failure does not need. Threads play a part, so each list gets several chances.
    private static async Task<(Step[] Steps, Exception Failure)> ShrinkAsync(Step[] steps, Exception failure)
    {
        for (int i = steps.Length - 1; i >= 0; i--)
        {
            Step[] shorter = [.. steps[..i], .. steps[(i + 1)..]];
            for (int chance = 0; chance < 5; chance++)
            {
                if (await TryAsync(shorter) is { } still)
                {
                    (steps, failure) = (shorter, still);
                    break;
                }
            }
        }

        return (steps, failure);
    }
}
