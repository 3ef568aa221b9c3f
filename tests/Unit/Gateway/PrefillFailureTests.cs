using Grpc.Core;
using LlmCluster.Gateway.Resilience;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class PrefillFailureTests
{
    [Theory]
    [InlineData(StatusCode.InvalidArgument, 400, false)]
    [InlineData(StatusCode.ResourceExhausted, 503, false)]
    [InlineData(StatusCode.DeadlineExceeded, 504, false)]
    [InlineData(StatusCode.Unavailable, 503, true)]
    [InlineData(StatusCode.DataLoss, 503, true)]
    [InlineData(StatusCode.Cancelled, 503, true)]
    [InlineData(StatusCode.Aborted, 503, false)]
    [InlineData(StatusCode.FailedPrecondition, 503, false)]
    [InlineData(StatusCode.Internal, 500, false)]
    [InlineData(StatusCode.Unknown, 500, false)]
    public void Decides_by_the_code(StatusCode code, int status, bool isTransient)
    {
        var failure = PrefillFailure.From(new Status(code, "the reason"));

        Assert.Equal(status, failure.Error.Status);
        Assert.Contains("the reason", failure.Error.Message, StringComparison.Ordinal);
        Assert.Equal(code == StatusCode.Aborted, failure.DecodeEnds);
        Assert.Equal(isTransient, PrefillFailure.IsTransient(code));
    }

    [Fact]
    public void Waits_longer_each_time_up_to_a_limit()
    {
        Assert.Equal(TimeSpan.FromMilliseconds(25), RetryDelay.After(1, 0));
        Assert.Equal(TimeSpan.FromMilliseconds(50), RetryDelay.After(1, 1));
        Assert.Equal(TimeSpan.FromMilliseconds(200), RetryDelay.After(3, 1));
        Assert.Equal(TimeSpan.FromSeconds(2), RetryDelay.After(1000, 1));
    }
}
