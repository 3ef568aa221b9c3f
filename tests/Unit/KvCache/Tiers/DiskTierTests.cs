using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Testing;
using LlmCluster.Tests.Unit.Engine;
using Xunit;
using static LlmCluster.Tests.Unit.KvCache.Tiers.TierContent;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

public sealed class DiskTierTests : IDisposable
{
    private static readonly BlockHash Identity = BlockHash.Root("model", Layout.Fingerprint);

    private readonly TempDirectory _directory = new("tier");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Content_comes_back_also_after_a_restart()
    {
        using (DiskTier tier = Open())
        {
            Put(tier, 1, 2);
            Check(tier, 1, 2);
            Assert.False(tier.TryRead(Hash(3), new byte[BlockBytes]));
        }

        using DiskTier restarted = Open();
        Assert.Equal(2, restarted.Count);
        Check(restarted, 1, 2);
        Assert.Equal((0, 0), Damage(restarted));
    }

    [Fact]
    public void The_least_recently_used_goes_first_and_its_file_with_it()
    {
        using DiskTier tier = Open(capacity: 3);
        Put(tier, 1, 2, 3);
        Check(tier, 1);
        Put(tier, 4, 5);

        Assert.False(tier.Contains(Hash(2)));
        Assert.False(tier.Contains(Hash(3)));
        Check(tier, 1, 4, 5);
        Assert.Equal(3, Files(tier).Length);
    }

    [Fact]
    public void The_order_of_use_outlives_a_restart_and_a_smaller_capacity_is_kept_to()
    {
        using (DiskTier tier = Open())
        {
            Put(tier, 1, 2, 3, 4);
            DateTime time = DateTime.UtcNow;
            tier.SetTime(Hash(1), time - TimeSpan.FromMinutes(1));
            tier.SetTime(Hash(2), time - TimeSpan.FromMinutes(3));
            tier.SetTime(Hash(3), time - TimeSpan.FromMinutes(2));
            tier.SetTime(Hash(4), time - TimeSpan.FromMinutes(4));
            Check(tier, 4);
        }

        using DiskTier restarted = Open(capacity: 2);
        Check(restarted, 4, 1);
        Assert.Equal(2, Files(restarted).Length);
    }

    [Fact]
    public void A_flipped_byte_anywhere_is_found()
    {
        using DiskTier tier = Open();
        Put(tier, 1);
        byte[] whole = File.ReadAllBytes(PathOf(tier, 1));
        Assert.Equal(DiskBlockFile.HeaderBytes + BlockBytes, whole.Length);
        for (int i = 0; i < whole.Length; i++)
        {
            byte[] damaged = [.. whole];
            damaged[i] ^= (byte)(1 << (i % 8));
            AssertRefused(tier, damaged);
        }

        Assert.Equal((whole.Length, 0), Damage(tier));
    }

    [Fact]
    public void A_truncated_or_longer_file_is_found()
    {
        using DiskTier tier = Open();
        Put(tier, 1);
        byte[] whole = File.ReadAllBytes(PathOf(tier, 1));
        foreach (int length in new[] { 0, 1, 63, 64, 65, whole.Length - 1 })
        {
            AssertRefused(tier, whole[..length]);
        }

        AssertRefused(tier, [.. whole, 0]);
        AssertRefused(tier, new byte[whole.Length]);
        Put(tier, 1);
        Check(tier, 1);
    }

    [Fact]
    public void A_truncated_file_is_deleted_at_the_start_and_one_that_was_being_written()
    {
        string folder;
        using (DiskTier tier = Open())
        {
            folder = tier.Folder;
            Put(tier, 1, 2, 3);
            File.WriteAllBytes(PathOf(tier, 1), File.ReadAllBytes(PathOf(tier, 1))[..100]);
            File.WriteAllBytes(PathOf(tier, 2), []);
        }

        File.WriteAllText(Path.Combine(folder, $"{Hash(9)}.tmp"), "half");
        File.WriteAllText(Path.Combine(folder, "notes.txt"), "somebody's");
        File.WriteAllText(Path.Combine(folder, "not-a-hash.kv"), "somebody's");
        using DiskTier restarted = Open();
        Assert.Equal((2, 0), Damage(restarted));
        Assert.Equal(1, restarted.Count);
        Check(restarted, 3);
        Assert.Equal(
            [$"{Hash(3)}.kv", "lock", "not-a-hash.kv", "notes.txt"],
            Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Another_blocks_file_and_another_models_file_are_no_hit()
    {
        using DiskTier tier = Open();
        using var other = new DiskTier(_directory.Path, BlockHash.Root("other", Layout.Fingerprint), BlockBytes, 100, new CountingLogger());
        Assert.NotEqual(Path.GetDirectoryName(tier.Folder), Path.GetDirectoryName(other.Folder));
        Put(tier, 1, 2);
        Put(other, 1);

        byte[] own = File.ReadAllBytes(PathOf(tier, 1));
        AssertRefused(tier, File.ReadAllBytes(PathOf(other, 1)));
        AssertRefused(tier, File.ReadAllBytes(PathOf(tier, 2)));

        Put(tier, 1);
        Assert.Equal(own, File.ReadAllBytes(PathOf(tier, 1)));
        Check(tier, 1);
    }

    [Fact]
    public void Each_takes_a_folder_of_its_own_and_a_later_one_what_was_left()
    {
        DiskTier first = Open();
        using DiskTier second = Open();
        Assert.NotEqual(first.Folder, second.Folder);
        Put(first, 1);
        Put(second, 2);
        Check(first, 1);
        Check(second, 2);
        first.Dispose();

        using DiskTier third = Open();
        Check(third, 1);
        Assert.False(third.Contains(Hash(2)));
    }

    [Fact]
    public void Failures_of_the_disk_are_counted_and_told_once()
    {
        var log = new CountingLogger();
        using var tier = new DiskTier(_directory.Path, Identity, BlockBytes, 100, log);
        Put(tier, 1);
        string hidden = tier.Folder + ".away";
        Directory.Move(tier.Folder, hidden);

        Assert.False(tier.TryWrite(Hash(2), Of(Hash(2))));
        Assert.False(tier.TryWrite(Hash(3), Of(Hash(3))));
        Assert.False(tier.TryRead(Hash(1), new byte[BlockBytes]));
        Assert.Equal((0, 3), Damage(tier));
        Assert.Equal(1, log.Warnings);
        Assert.Equal(0, tier.Count);

        Directory.Move(hidden, tier.Folder);
        Put(tier, 2);
        Check(tier, 2);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named()
    {
        string file = _directory.Write("file", "in the way");
        var error = Assert.Throws<IOException>(() => new DiskTier(file, Identity, BlockBytes, 100, new CountingLogger()));
        Assert.Contains($"The folder '{file}' can't be used for KV blocks", error.Message, StringComparison.Ordinal);
    }

    private DiskTier Open(int capacity = 100) => new(_directory.Path, Identity, BlockBytes, capacity, new CountingLogger());

    private static void Put(DiskTier tier, params int[] numbers)
    {
        foreach (int number in numbers)
        {
            Assert.True(tier.TryWrite(Hash(number), Of(Hash(number))));
        }
    }

    private static void Check(DiskTier tier, params int[] numbers)
    {
        foreach (int number in numbers)
        {
            byte[] content = new byte[BlockBytes];
            Assert.True(tier.TryRead(Hash(number), content));
            Assert.Equal(Of(Hash(number)), content);
        }
    }

    // A damaged file in place of block 1.
    private static void AssertRefused(DiskTier tier, byte[] file)
    {
        Put(tier, 1);
        File.WriteAllBytes(PathOf(tier, 1), file);
        Assert.False(tier.TryRead(Hash(1), new byte[BlockBytes]));
        Assert.False(tier.Contains(Hash(1)));
        Assert.False(File.Exists(PathOf(tier, 1)));
    }

    private static (long Corrupt, long Errors) Damage(DiskTier tier)
    {
        KvTierCounts counts = tier.Counters.Snapshot(0, 0, 0);
        return (counts.Corrupt, counts.Errors);
    }

    private static string[] Files(DiskTier tier) => Directory.GetFiles(tier.Folder, "*.kv");

    private static string PathOf(DiskTier tier, int number) => Path.Combine(tier.Folder, $"{Hash(number)}.kv");
}
