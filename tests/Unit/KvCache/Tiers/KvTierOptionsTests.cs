using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache.Tiers;

public class KvTierOptionsTests
{
    private static readonly KvLayout Layout = new(Layers: 16, KvHeads: 8, HeadDim: 64, KvDtype.BF16);

    [Fact]
    public void There_are_none_by_default()
    {
        var options = new KvTierOptions();
        options.Validate("Tiers");
        options.ValidateFor(Layout, "Tiers");
        Assert.False(options.IsEnabled);
    }

    [Fact]
    public void The_disk_needs_host_memory_and_the_message_says_so()
    {
        var error = Assert.Throws<ArgumentException>(() => new KvTierOptions { DiskPath = "/var/kv" }.Validate("Worker:Tiers"));
        Assert.Contains(
            "Worker:Tiers:HostMemoryMiB is '0'; expected at least 1 with Worker:Tiers:DiskPath: blocks go to the disk by way of host memory.",
            error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tier_without_room_for_blocks_of_the_layout_is_refused()
    {
        // A block has 512 KiB.
        Assert.Equal(512 << 10, Layout.BlockBytes);
        new KvTierOptions { HostMemoryMiB = 2 }.ValidateFor(Layout, "Tiers");
        Assert.Equal(4, new KvTierOptions { HostMemoryMiB = 2 }.HostBlocksFor(Layout));
        Assert.Equal(7, new KvTierOptions { HostMemoryMiB = 2, HostBlocks = 7 }.HostBlocksFor(Layout));
        var host = Assert.Throws<ArgumentException>(() => new KvTierOptions { HostMemoryMiB = 1 }.ValidateFor(Layout, "Tiers"));
        Assert.Contains("Tiers:HostMemoryMiB is '1'; expected more: one block of kv2:l16:h8x64:bf16:b16 has 524288 bytes", host.Message, StringComparison.Ordinal);
        var disk = Assert.Throws<ArgumentException>(
            () => new KvTierOptions { HostMemoryMiB = 2, DiskPath = "/var/kv", DiskMiB = 2 }.ValidateFor(Layout, "Tiers"));
        Assert.Contains("Tiers:DiskMiB is '2'; expected more", disk.Message, StringComparison.Ordinal);
    }
}
