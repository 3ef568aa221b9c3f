using LlmCluster.Inference.Scheduling.Prediction;
using Xunit;

namespace LlmCluster.Tests.Unit.Scheduling.Prediction;

public class LengthBucketsTests
{
    [Fact]
    public void Buckets_follow_each_other_without_gaps()
    {
        int next = 1;
        for (int bucket = 0; bucket < LengthBuckets.Count; bucket++)
        {
            Assert.Equal(next, LengthBuckets.First(bucket));
            next = LengthBuckets.Last(bucket) + 1;
            Assert.Equal((bucket, bucket), (LengthBuckets.Of(LengthBuckets.First(bucket)), LengthBuckets.Of(LengthBuckets.Last(bucket))));
            Assert.True(LengthBuckets.Width(bucket) <= Math.Max(1, LengthBuckets.First(bucket) / 8));
        }

        Assert.Equal(LengthBuckets.Longest + 1, next);
    }

    [Theory]
    [InlineData(int.MinValue, 1)]
    [InlineData(0, 1)]
    [InlineData(int.MaxValue, LengthBuckets.Longest)]
    public void Lengths_that_can_not_be_are_the_nearest_that_can(int length, int counted) =>
        Assert.Equal(LengthBuckets.Of(counted), LengthBuckets.Of(length));
}
