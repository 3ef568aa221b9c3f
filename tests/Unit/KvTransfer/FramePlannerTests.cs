using LlmCluster.KvTransfer.Sending;
using Xunit;

namespace LlmCluster.Tests.Unit.KvTransfer;

public class FramePlannerTests
{
    [Fact]
    public void Neighbours_of_a_layer_are_joined_whatever_their_order()
    {
        Assert.Equal(
            [new BlockRun(0, 0, 6), new BlockRun(1, 0, 4), new BlockRun(1, 5, 1)],
            Plan(100, 0, new BlockRun(1, 2, 2), new BlockRun(0, 4, 2), new BlockRun(1, 0, 2), new BlockRun(0, 0, 4), new BlockRun(1, 5, 1)));
    }

    [Fact]
    public void Frames_are_split_at_the_limit()
    {
        Assert.Equal(
            [new BlockRun(0, 0, 4), new BlockRun(0, 4, 4), new BlockRun(0, 8, 2)],
            Plan(40, 0, new BlockRun(0, 0, 7), new BlockRun(0, 7, 3)));
    }

    [Fact]
    public void A_block_larger_than_the_limit_goes_alone()
    {
        Assert.Equal([new BlockRun(0, 0, 1), new BlockRun(0, 1, 1)], Plan(9, 0, new BlockRun(0, 0, 2)));
    }

    [Fact]
    public void What_the_receiver_has_is_left_out()
    {
        Assert.Equal(
            [new BlockRun(0, 5, 1), new BlockRun(1, 6, 2)],
            Plan(100, 5, new BlockRun(0, 0, 3), new BlockRun(0, 3, 3), new BlockRun(1, 0, 5), new BlockRun(1, 6, 2)));
    }

    private static List<BlockRun> Plan(int maxFrameBytes, int skipped, params BlockRun[] runs)
    {
        var planner = new FramePlanner(blockBytes: 10, maxFrameBytes) { SkippedBlocks = skipped };
        foreach (BlockRun run in runs)
        {
            planner.Add(run);
        }

        var frames = new List<BlockRun>();
        planner.Take(frames);
        return frames;
    }
}
