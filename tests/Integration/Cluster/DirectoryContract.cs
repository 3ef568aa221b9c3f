using LlmCluster.Cluster.Directory;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Integration.Cluster.SampleWorkers;

namespace LlmCluster.Tests.Integration.Cluster;

/// <summary>What every <see cref="IPrefixDirectory"/> must do.</summary>
public abstract class DirectoryContract : StateContract
{
    private static readonly ulong[] Prompt = [.. Enumerable.Range(1, 20).Select(i => (ulong)i * 0x9E37_79B9_7F4A_7C15)];

    [Fact]
    public async Task AnEmptyDirectoryHasNothing()
    {
        Assert.Empty(await First.Directory.FindAsync(Prompt));
        Assert.Empty(await First.Directory.FindAsync(ReadOnlyMemory<ulong>.Empty));
        Assert.Equal(default, await First.Directory.GetUseAsync());
    }

    [Fact]
    public async Task LeadingBlocksAreCountedPerWorkerAndTier()
    {
        await JoinAsync("b", "a", "c", "d");
        await HoldAsync("a", Prompt[..10]);
        await HoldAsync("b", Prompt[..3]);
        await HoldAsync("b", Prompt[3..7], BlockTier.Host);
        await HoldAsync("b", Prompt[7..9], BlockTier.Disk);
        await HoldAsync("c", Prompt, BlockTier.Disk);
        await HoldAsync("d", [~Prompt[0]]);
        Assert.Equal(
            [new PrefixMatch("a", 10, 10), new PrefixMatch("b", 3, 9), new PrefixMatch("c", 0, 20)], await Second.Directory.FindAsync(Prompt));
        Assert.Equal(
            [new PrefixMatch("a", 5, 5), new PrefixMatch("b", 3, 5), new PrefixMatch("c", 0, 5)], await Second.Directory.FindAsync(Prompt.AsMemory(0, 5)));
        Assert.Equal([new PrefixMatch("d", 1, 1)], await Second.Directory.FindAsync(new[] { ~Prompt[0], Prompt[0] }));
        Assert.Equal(new DirectoryUse(10 + 9 + 20 + 1, 4), await Second.Directory.GetUseAsync());
    }

    [Fact]
    public async Task ChangesAreTakenInOrder()
    {
        await JoinAsync("w");
        BlockChange[] changes =
        [
            new(Prompt[0], BlockTier.Device), new(Prompt[1], BlockTier.Device), new(Prompt[2], BlockTier.Device),
            new(Prompt[2], null), new(Prompt[1], BlockTier.Host), new(Prompt[0], null), new(Prompt[0], BlockTier.Device), new(Prompt[5], null),
        ];
        Assert.True(await First.Directory.PublishAsync("w", changes, restart: false));
        Assert.Equal([new PrefixMatch("w", 1, 2)], await Second.Directory.FindAsync(Prompt));
        Assert.Equal(2, (await Second.Directory.GetUseAsync()).Entries);
        Assert.True(await First.Directory.PublishAsync("w", new BlockChange[] { new(Prompt[1], null), new(Prompt[0], null) }, restart: false));
        Assert.Empty(await Second.Directory.FindAsync(Prompt));
        Assert.Equal(default, await Second.Directory.GetUseAsync());
    }

    [Fact]
    public async Task AWorkerThatIsNoMemberOrDidNotStartCantPublish()
    {
        BlockChange[] changes = [new(Prompt[0], BlockTier.Device)];
        Assert.False(await First.Directory.PublishAsync("w", changes, restart: true));
        await First.HeartbeatAsync(Snapshot("w"), Long);
        Assert.False(await First.Directory.PublishAsync("w", changes, restart: false));
        Assert.Empty(await Second.Directory.FindAsync(Prompt));
        Assert.True(await First.Directory.PublishAsync("w", ReadOnlyMemory<BlockChange>.Empty, restart: true));
        Assert.True(await First.Directory.PublishAsync("w", changes, restart: false));
        Assert.Single(await Second.Directory.FindAsync(Prompt));
    }

    [Fact]
    public async Task ARestartVoidsWhatTheWorkerPublishedAndNothingElse()
    {
        await JoinAsync("w", "x");
        await HoldAsync("w", Prompt[..8]);
        await HoldAsync("x", Prompt[..2]);
        Assert.True(await First.Directory.PublishAsync("w", new BlockChange[] { new(Prompt[0], BlockTier.Host) }, restart: true));
        Assert.Equal([new PrefixMatch("w", 0, 1), new PrefixMatch("x", 2, 2)], await Second.Directory.FindAsync(Prompt));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WhatAWorkerPublishedVanishesWithItsLease(bool leaves)
    {
        await JoinAsync("w", "x");
        await HoldAsync("w", Prompt[..8]);
        await HoldAsync("x", Prompt[..4]);
        await (leaves ? First.LeaveAsync("w").AsTask() : ExpireAsync("w"));
        Assert.Equal([new PrefixMatch("x", 4, 4)], await Second.Directory.FindAsync(Prompt));

        // It comes back: the directory knows nothing of it, and says so.
        await First.HeartbeatAsync(Snapshot("w"), Long);
        Assert.Equal([new PrefixMatch("x", 4, 4)], await Second.Directory.FindAsync(Prompt));
        Assert.False(await First.Directory.PublishAsync("w", new BlockChange[] { new(Prompt[4], BlockTier.Device) }, restart: false));
        Assert.True(await First.Directory.PublishAsync("w", new BlockChange[] { new(Prompt[0], BlockTier.Device) }, restart: true));
        Assert.Equal([new PrefixMatch("w", 1, 1), new PrefixMatch("x", 4, 4)], await Second.Directory.FindAsync(Prompt));
    }

    [Fact]
    public async Task ALeaseThatEndsUnseenVoidsWhatWasPublished()
    {
        await JoinAsync("w");
        await HoldAsync("w", Prompt);
        await First.HeartbeatAsync(Snapshot("w"), TimeSpan.FromMilliseconds(1));
        await Eventually.TrueAsync(async () => (await Second.Directory.FindAsync(Prompt)).Count == 0);
        Assert.False(await First.Directory.PublishAsync("w", ReadOnlyMemory<BlockChange>.Empty, restart: false));
        await First.HeartbeatAsync(Snapshot("w"), Long);
        Assert.False(await First.Directory.PublishAsync("w", ReadOnlyMemory<BlockChange>.Empty, restart: false));
    }

    [Fact]
    public async Task ALongPromptIsLookedUpToTheMost()
    {
        ulong[] prompt = [.. Enumerable.Range(1, IPrefixDirectory.MaxLookup + 100).Select(i => (ulong)i * 0xD1B5_4A32_D192_ED03)];
        await JoinAsync("all", "most");
        for (int start = 0; start < prompt.Length; start += IPrefixDirectory.MaxBatch)
        {
            await HoldAsync("all", prompt[start..Math.Min(start + IPrefixDirectory.MaxBatch, prompt.Length)]);
        }

        await HoldAsync("most", prompt[..3001]);
        Assert.Equal(
            [new PrefixMatch("all", IPrefixDirectory.MaxLookup, IPrefixDirectory.MaxLookup), new PrefixMatch("most", 3001, 3001)],
            await Second.Directory.FindAsync(prompt));
    }

    [Fact]
    public async Task EntriesOfTheDeadAreSwept()
    {
        await JoinAsync("stays", "leaves", "restarts", "expires");
        foreach (string id in new[] { "stays", "leaves", "restarts", "expires" })
        {
            await HoldAsync(id, Prompt);
        }

        await First.LeaveAsync("leaves");
        await ExpireAsync("expires");
        Assert.True(await First.Directory.PublishAsync("restarts", ReadOnlyMemory<BlockChange>.Empty, restart: true));
        await Eventually.TrueAsync(async () =>
        {
            await First.HeartbeatAsync(Snapshot("stays"), Long);
            await Second.Directory.PublishAsync("stays", ReadOnlyMemory<BlockChange>.Empty, restart: false);
            return await Second.Directory.GetUseAsync() == new DirectoryUse(Prompt.Length, 1);
        });
        Assert.Equal([new PrefixMatch("stays", 20, 20)], await Second.Directory.FindAsync(Prompt));
    }

    [Fact]
    public async Task WrongArgumentsAreRefused()
    {
        await JoinAsync("w");
        var many = new BlockChange[IPrefixDirectory.MaxBatch + 1];
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Directory.PublishAsync(" ", default, restart: true));
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Directory.PublishAsync("w", many, restart: true));
        BlockChange[] noTier = [new(1, (BlockTier)3)];
        await Assert.ThrowsAnyAsync<ArgumentException>(async () => await First.Directory.PublishAsync("w", noTier, restart: true));
        var cancelled = new CancellationToken(canceled: true);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Directory.PublishAsync("w", default, restart: true, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Directory.FindAsync(Prompt, cancelled));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await First.Directory.GetUseAsync(cancelled));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task AnyHistoryGivesTheSameAnswersAsAPlainModel(int seed)
    {
        var history = new DirectoryHistory(seed);
        for (int step = 0; step < 400; step++)
        {
            string id = history.AnyWorker();
            switch (history.Random.Next(20))
            {
                case 0:
                    await First.LeaveAsync(id);
                    history.End(id);
                    break;
                case 1:
                    await ExpireAsync(id);
                    history.End(id);
                    break;
                case <= 4:
                    await Second.HeartbeatAsync(Snapshot(id), Long);
                    history.Join(id);
                    break;
                default:
                    bool restart = history.Random.Next(8) == 0 || !history.HasSession(id);
                    BlockChange[] changes = history.Change(id, restart);
                    bool noted = await (step % 2 == 0 ? First : Second).Directory.PublishAsync(id, changes, restart);
                    Assert.Equal(history.IsMember(id), noted);
                    break;
            }

            for (int i = 0; i < 4; i++)
            {
                ulong[] prompt = history.AnyPrompt();
                Assert.Equal(history.Find(prompt), await (i % 2 == 0 ? First : Second).Directory.FindAsync(prompt));
            }
        }
    }

    private async Task JoinAsync(params string[] ids)
    {
        foreach (string id in ids)
        {
            await First.HeartbeatAsync(Snapshot(id), Long);
            Assert.True(await First.Directory.PublishAsync(id, ReadOnlyMemory<BlockChange>.Empty, restart: true));
        }
    }

    private async Task HoldAsync(string id, ulong[] blocks, BlockTier tier = BlockTier.Device) =>
        Assert.True(await First.Directory.PublishAsync(id, blocks.Select(hash => new BlockChange(hash, tier)).ToArray(), restart: false));
}
