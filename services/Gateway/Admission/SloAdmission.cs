using System.Globalization;
using LlmCluster.Api.Errors;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Placement;

namespace LlmCluster.Gateway.Admission;

/// <summary>Decides whether a placement is good enough for a request's class. Pure.</summary>
/// <remarks>
/// A class that rejects is promised its time to the first token from the request's arrival, so the wait in the gateway counts. For one that queues it is the time from the
/// placement: what has waited would else be too late for good.
/// </remarks>
internal static class SloAdmission
{
    private static readonly TimeSpan UnknownWait = TimeSpan.FromSeconds(1);

    /// <summary>Judges a placement.</summary>
    /// <param name="class">The request's class.</param>
    /// <param name="estimate">What the placement is predicted to come to; null where the policy predicts nothing: then it is good enough.</param>
    /// <param name="waited">Time since the request's arrival.</param>
    /// <returns>Null when the request may run; else why not, now or at all.</returns>
    public static AdmissionRefusal? Judge(ServiceClass @class, PlacementEstimate? estimate, TimeSpan waited)
    {
        if (estimate is not { } predicted)
        {
            return null;
        }

        if (!predicted.Fits)
        {
            return new AdmissionRefusal.NotNow("No decode worker has room for the request.", null, HoldsOthers: true);
        }

        ClassOptions promised = @class.Options;
        TimeSpan ttft = promised.WhenLate == WhenLate.Reject ? predicted.Ttft + waited : predicted.Ttft;
        if (promised.TtftTarget is { } ttftTarget && ttft > ttftTarget)
        {
            return Late(@class, $"The first token is predicted after {Seconds(ttft)} s, but class '{@class.Name}' is promised it within {Seconds(ttftTarget)} s.", ttft - ttftTarget);
        }

        return promised.TpotTarget is { } tpotTarget && predicted.Tpot > tpotTarget
            ? Late(@class, $"A token is predicted to take {Milliseconds(predicted.Tpot)} ms, but class '{@class.Name}' is promised {Milliseconds(tpotTarget)} ms at most.", null)
            : null;
    }

    private static AdmissionRefusal Late(ServiceClass @class, string reason, TimeSpan? excess)
    {
        if (@class.Options.WhenLate == WhenLate.Queue)
        {
            return new AdmissionRefusal.NotNow(reason, excess, HoldsOthers: false);
        }

        TimeSpan wait = excess ?? UnknownWait;
        string again = $"Try again in {ApiErrorWriter.RetryAfterSeconds(wait)} s.";
        return new AdmissionRefusal.Never(ApiError.TooMany($"{reason} {again}", ApiErrorTypes.Server, ApiErrorCodes.SloUnattainable, wait));
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0.###", CultureInfo.InvariantCulture);
}
