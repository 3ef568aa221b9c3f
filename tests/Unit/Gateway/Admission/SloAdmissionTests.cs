using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Placement;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway.Admission;

public sealed class SloAdmissionTests
{
    private static readonly ServiceClass Rejecting = new("chat", new ClassOptions { TtftTarget = TimeSpan.FromSeconds(2), TpotTarget = TimeSpan.FromMilliseconds(50), WhenLate = WhenLate.Reject });
    private static readonly ServiceClass Queueing = Rejecting with { Options = Rejecting.Options with { WhenLate = WhenLate.Queue } };

    [Theory]
    [InlineData(2.0, 0, 50, true)]
    [InlineData(2.1, 0, 50, false)]
    [InlineData(1.5, 0.5, 50, true)]
    [InlineData(1.5, 0.6, 50, false)]
    [InlineData(1.0, 0, 51, false)]
    public void Rejects_what_would_be_late(double ttft, double waited, double tpot, bool admitted) =>
        Assert.Equal(admitted, SloAdmission.Judge(Rejecting, Estimate(ttft, tpot), TimeSpan.FromSeconds(waited)) is null);

    [Fact]
    public void Says_what_is_predicted_what_is_promised_and_when_again()
    {
        var ttft = Assert.IsType<AdmissionRefusal.Never>(SloAdmission.Judge(Rejecting, Estimate(6.25, 1), TimeSpan.FromSeconds(1)));
        Assert.Equal((429, "slo_unattainable", TimeSpan.FromSeconds(5.25)), (ttft.Error.Status, ttft.Error.Code, ttft.Error.RetryAfter));
        Assert.Equal("The first token is predicted after 7.25 s, but class 'chat' is promised it within 2 s. Try again in 6 s.", ttft.Error.Message);

        var tpot = Assert.IsType<AdmissionRefusal.Never>(SloAdmission.Judge(Rejecting, Estimate(1, 80), TimeSpan.Zero));
        Assert.Equal("A token is predicted to take 80 ms, but class 'chat' is promised 50 ms at most. Try again in 1 s.", tpot.Error.Message);
    }

    [Fact]
    public void A_class_that_queues_waits_by_itself_and_is_judged_from_its_placement()
    {
        Assert.Null(SloAdmission.Judge(Queueing, Estimate(1.9, 1), TimeSpan.FromSeconds(20)));
        var later = Assert.IsType<AdmissionRefusal.NotNow>(SloAdmission.Judge(Queueing, Estimate(5, 1), TimeSpan.FromSeconds(20)));
        Assert.Equal((false, TimeSpan.FromSeconds(3)), (later.HoldsOthers, later.Wait));
    }

    [Fact]
    public void Want_of_room_makes_all_wait()
    {
        foreach (ServiceClass one in new[] { Rejecting, Queueing, new ServiceClass("default", new ClassOptions()) })
        {
            Assert.True(Assert.IsType<AdmissionRefusal.NotNow>(SloAdmission.Judge(one, Estimate(1, 1) with { Fits = false }, TimeSpan.Zero)).HoldsOthers);
        }
    }

    [Fact]
    public void Nothing_is_late_without_a_target_or_a_prediction()
    {
        Assert.Null(SloAdmission.Judge(new ServiceClass("default", new ClassOptions { WhenLate = WhenLate.Reject }), Estimate(1e6, 1e6), TimeSpan.FromHours(1)));
        Assert.Null(SloAdmission.Judge(Rejecting, null, TimeSpan.FromHours(1)));
    }

    private static PlacementEstimate Estimate(double ttft, double tpot) => new(TimeSpan.FromSeconds(ttft), TimeSpan.FromMilliseconds(tpot), Fits: true);
}
