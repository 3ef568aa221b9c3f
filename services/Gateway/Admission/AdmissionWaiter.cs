namespace LlmCluster.Gateway.Admission;

/// <summary>A request in the queue. The queue's lock guards it, but for the awaiting of <see cref="Turn"/>.</summary>
/// <param name="request">The request.</param>
/// <param name="tenant">The name under which its tenant is counted.</param>
/// <param name="arrival">Number of its arrival.</param>
internal sealed class AdmissionWaiter(AdmissionRequest request, string tenant, long arrival)
{
    private TaskCompletionSource _turn = NewTurn();

    /// <summary>The request.</summary>
    public AdmissionRequest Request => request;

    /// <summary>The name under which its tenant is counted.</summary>
    public string Tenant => tenant;

    /// <summary>Number of its arrival.</summary>
    public long Arrival => arrival;

    /// <summary>Complete once it is its turn.</summary>
    public Task Turn => _turn.Task;

    /// <summary>In which round it was tried last; -1 when it was not.</summary>
    public long TriedIn { get; private set; } = -1;

    /// <summary>Why it was not placed when it was tried last; null when it was not tried.</summary>
    public AdmissionRefusal.NotNow? Refusal { get; private set; }

    /// <summary>Gives it the turn.</summary>
    /// <param name="round">The round.</param>
    public void Give(long round)
    {
        TriedIn = round;
        _turn.SetResult();
    }

    /// <summary>It was tried, and waits on.</summary>
    public void Refuse(AdmissionRefusal.NotNow refusal)
    {
        Refusal = refusal;
        if (_turn.Task.IsCompleted)
        {
            _turn = NewTurn();
        }
    }

    /// <summary>It was tried before it came to wait.</summary>
    /// <param name="refusal">Why it was not placed.</param>
    /// <param name="round">The round in which it was tried.</param>
    public void Refuse(AdmissionRefusal.NotNow refusal, long round)
    {
        Refuse(refusal);
        TriedIn = round;
    }

    /// <summary>Whether it comes before another: by priority, then by the service that its tenant had, then by arrival.</summary>
    /// <param name="other">The other.</param>
    /// <param name="counters">The service that the tenants had.</param>
    public bool IsBefore(AdmissionWaiter other, IReadOnlyDictionary<string, double> counters)
    {
        int byPriority = request.Priority.CompareTo(other.Request.Priority);
        if (byPriority != 0)
        {
            return byPriority < 0;
        }

        int byService = tenant == other.Tenant ? 0 : counters[tenant].CompareTo(counters[other.Tenant]);
        return byService != 0 ? byService < 0 : arrival < other.Arrival;
    }

    private static TaskCompletionSource NewTurn() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
