using LlmCluster.Api.Errors;

namespace LlmCluster.Gateway.Admission;

/// <summary>Why a request was not placed.</summary>
internal abstract record AdmissionRefusal
{
    private AdmissionRefusal()
    {
    }

    /// <summary>It may be placed later.</summary>
    /// <param name="Reason">Why not now: a sentence, for clients and operators.</param>
    /// <param name="Wait">After what time it is predicted to be placed; null where that is not known.</param>
    /// <param name="HoldsOthers">
    /// Whether it holds up all requests behind it, as it does for want of room: those that need less would else take what becomes free for ever. One that is late by
    /// its own class's targets holds up its class alone, so that classes with other targets go on.
    /// </param>
    internal sealed record NotNow(string Reason, TimeSpan? Wait, bool HoldsOthers) : AdmissionRefusal;

    /// <summary>It ends with an error.</summary>
    /// <param name="Error">What the client is told.</param>
    internal sealed record Never(ApiError Error) : AdmissionRefusal;
}

/// <summary>What came of an attempt to place a request.</summary>
/// <param name="Value">The placement, where there is no refusal.</param>
/// <param name="Refusal">Why there is none.</param>
internal readonly record struct AdmissionAttempt<T>(T? Value, AdmissionRefusal? Refusal)
{
    /// <summary>It was placed.</summary>
    public static AdmissionAttempt<T> Placed(T value) => new(value, null);

    /// <summary>It was not placed.</summary>
    public static implicit operator AdmissionAttempt<T>(AdmissionRefusal refusal) => new(default, refusal);
}
