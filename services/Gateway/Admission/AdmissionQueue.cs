using LlmCluster.Api.Errors;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Telemetry;

namespace LlmCluster.Gateway.Admission;

/// <summary>
/// Where requests wait that can't be placed now, in order of priority, of the service that their tenants had, and of arrival. Whoever is first is tried when something
/// may have become free, then the next one, each by its own caller.
/// </summary>
/// <remarks>
/// While nobody waits requests are tried at once and side by side; with a queue, one at a time. Order is strict within a class. Between classes, one that lacks room holds up all
/// behind it, and one that is late by its class's targets holds up its class alone (<see cref="AdmissionRefusal.NotNow.HoldsOthers"/>). A priority is strict: those behind may wait
/// until their time is up, but then they are told. A request leaves by being placed, by its own error, by cancellation or by its class's
/// <see cref="ClassOptions.QueueTimeout"/>; an attempt that runs when the time is up, or when the client hangs up, is waited for, so that what it took is never lost.
/// </remarks>
internal sealed class AdmissionQueue : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LeastRetryAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly List<AdmissionWaiter> _waiting = [];
    private readonly Dictionary<string, int> _lengths = new(StringComparer.OrdinalIgnoreCase);
    private readonly FairShares _shares;
    private readonly AdmissionOptions _options;
    private readonly TimeProvider _time;
    private readonly ITimer _tick;
    private AdmissionWaiter? _turn;
    private long _round;
    private long _arrivals;
    private TimeSpan _lastWait;

    /// <summary>Makes an empty queue.</summary>
    public AdmissionQueue(FairShares shares, AdmissionOptions options, TimeProvider time)
    {
        (_shares, _options, _time) = (shares, options, time);
        _tick = time.CreateTimer(_ => Signal(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        GatewayMetrics.Add(this);
    }

    /// <summary>Requests that wait.</summary>
    public int Length
    {
        get
        {
            lock (_lock)
            {
                return _waiting.Count;
            }
        }
    }

    /// <summary>Places a request, now or when it is its turn.</summary>
    /// <param name="request">The request.</param>
    /// <param name="attempt">
    /// Tries to place it: called until it places it or refuses it for good, never twice at a time. What it throws ends the request. Its token is
    /// <paramref name="cancellationToken"/>: an attempt that was cancelled must have taken nothing.
    /// </param>
    /// <param name="cancellationToken">The client hung up. A placement that was made nevertheless is returned, for the caller to release.</param>
    /// <exception cref="ApiException">The request was refused for good, its class's queue is full, or it waited for too long.</exception>
    /// <exception cref="OperationCanceledException">The client hung up while the request was not placed.</exception>
    public async ValueTask<T> AdmitAsync<T>(
        AdmissionRequest request, Func<CancellationToken, ValueTask<AdmissionAttempt<T>>> attempt, CancellationToken cancellationToken)
    {
        (bool free, long round) = Look();
        AdmissionRefusal.NotNow? refusal = null;
        if (free)
        {
            AdmissionAttempt<T> first = await attempt(cancellationToken).ConfigureAwait(false);
            if (first.Refusal is null)
            {
                Dispatched(request);
                return first.Value!;
            }

            refusal = WaitOrThrow(first.Refusal, request);
        }

        long start = _time.GetTimestamp();
        AdmissionWaiter waiter = Enter(request, refusal, round);
        try
        {
            using var deadline = new CancellationTokenSource(request.Class.Options.QueueTimeout, _time);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
            while (true)
            {
                await WaitAsync(waiter, start, end.Token, cancellationToken).ConfigureAwait(false);
                AdmissionAttempt<T> next = await attempt(cancellationToken).ConfigureAwait(false);
                if (next.Refusal is null)
                {
                    Dispatched(request);
                    return next.Value!;
                }

                PassOn(waiter, WaitOrThrow(next.Refusal, request));
            }
        }
        finally
        {
            Leave(waiter, _time.GetElapsedTime(start));
        }
    }

    /// <summary>Something was released, or the cluster looks different: whoever is first may be placed now.</summary>
    public void Signal()
    {
        lock (_lock)
        {
            _round++;
            GiveTurn();
        }
    }

    /// <summary>A request that was admitted has its answer: counts the answer for its tenant.</summary>
    /// <param name="request">The request.</param>
    /// <param name="outputTokens">Tokens of all answers.</param>
    public void Served(AdmissionRequest request, long outputTokens) =>
        _shares.Add(FairShares.NameOf(request.Tenant), outputTokens * _options.OutputTokenWeight / request.Weight);

    /// <summary>How many requests of each class wait; of those classes that ever waited.</summary>
    public (string Class, int Length)[] Lengths()
    {
        lock (_lock)
        {
            return [.. _lengths.Select(static pair => (pair.Key, pair.Value))];
        }
    }

    /// <summary>Ends the timer. Whoever waits still leaves by its own deadline.</summary>
    public void Dispose()
    {
        GatewayMetrics.Remove(this);
        _tick.Dispose();
    }

    private static AdmissionRefusal.NotNow WaitOrThrow(AdmissionRefusal refusal, AdmissionRequest request)
    {
        if (refusal is AdmissionRefusal.NotNow later)
        {
            return later;
        }

        throw Rejected(((AdmissionRefusal.Never)refusal).Error, request.Class);
    }

    private static ApiException Rejected(ApiError error, ServiceClass @class)
    {
        GatewayMetrics.Reject(error.Code ?? error.Type, @class.Name);
        return error.ToException();
    }

    private void Dispatched(AdmissionRequest request) =>
        _shares.Add(FairShares.NameOf(request.Tenant), request.PromptTokens * _options.InputTokenWeight / request.Weight);

    private (bool Free, long Round) Look()
    {
        lock (_lock)
        {
            return (_waiting.Count == 0, _round);
        }
    }

    private AdmissionWaiter Enter(AdmissionRequest request, AdmissionRefusal.NotNow? refusal, long round)
    {
        string tenant = FairShares.NameOf(request.Tenant);
        lock (_lock)
        {
            string name = request.Class.Name;
            int length = _lengths.GetValueOrDefault(name);
            if (length >= request.Class.Options.MaxQueued)
            {
                throw Rejected(AdmissionErrors.QueueFull(request.Class, refusal?.Reason, RetryAfter(refusal)), request.Class);
            }

            var waiter = new AdmissionWaiter(request, tenant, ++_arrivals);
            if (refusal is not null)
            {
                // When something was released since, the round is another by now, and it is tried again at once.
                waiter.Refuse(refusal, round);
            }

            _shares.Join(tenant);
            _lengths[name] = length + 1;
            _waiting.Add(waiter);
            if (_waiting.Count == 1)
            {
                _tick.Change(Tick, Tick);
            }

            GiveTurn();
            return waiter;
        }
    }

    private async Task WaitAsync(AdmissionWaiter waiter, long start, CancellationToken end, CancellationToken cancellationToken)
    {
        Task turn;
        lock (_lock)
        {
            turn = waiter.Turn;
        }

        try
        {
            // First, lest it be tried over and over beyond its time.
            end.ThrowIfCancellationRequested();
            await turn.WaitAsync(end).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            AdmissionRequest request = waiter.Request;
            throw Rejected(
                AdmissionErrors.QueueTimeout(request.Class, _time.GetElapsedTime(start), waiter.Refusal?.Reason, RetryAfter(waiter.Refusal)), request.Class);
        }
    }

    /// <summary>The time that is predicted, or else the one that whoever left last had waited.</summary>
    private TimeSpan RetryAfter(AdmissionRefusal.NotNow? refusal)
    {
        lock (_lock)
        {
            TimeSpan wait = refusal?.Wait ?? _lastWait;
            return wait > LeastRetryAfter ? wait : LeastRetryAfter;
        }
    }

    private void PassOn(AdmissionWaiter waiter, AdmissionRefusal.NotNow refusal)
    {
        lock (_lock)
        {
            waiter.Refuse(refusal);
            _turn = null;
            GiveTurn();
        }
    }

    private void Leave(AdmissionWaiter waiter, TimeSpan waited)
    {
        lock (_lock)
        {
            _waiting.Remove(waiter);
            _lengths[waiter.Request.Class.Name]--;
            _shares.Leave(waiter.Tenant);
            _lastWait = waited;
            if (_turn == waiter)
            {
                _turn = null;
            }

            if (_waiting.Count == 0)
            {
                _tick.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }

            GiveTurn();
        }

        GatewayMetrics.Waited(waited, waiter.Request.Class.Name);
    }

    /// <summary>Gives the turn to whoever is first and was not tried in this round, unless someone has it. Under the lock.</summary>
    private void GiveTurn()
    {
        if (_turn is not null || _waiting.Count == 0)
        {
            return;
        }

        // Counters change at any time: one view of them for the whole choice.
        Dictionary<string, double> counters = _shares.Waiting();
        List<AdmissionWaiter> heads = Heads(counters);
        heads.Sort((one, other) => one == other ? 0 : one.IsBefore(other, counters) ? -1 : 1);
        foreach (AdmissionWaiter head in heads)
        {
            if (head.TriedIn < _round)
            {
                _turn = head;
                head.Give(_round);
                return;
            }

            if (head.Refusal is { HoldsOthers: true })
            {
                return;
            }
        }
    }

    /// <summary>Whoever is first in each class.</summary>
    private List<AdmissionWaiter> Heads(Dictionary<string, double> counters)
    {
        List<AdmissionWaiter> heads = [];
        foreach (AdmissionWaiter waiter in _waiting)
        {
            int index = heads.FindIndex(head => head.Request.Class == waiter.Request.Class);
            if (index < 0)
            {
                heads.Add(waiter);
            }
            else if (waiter.IsBefore(heads[index], counters))
            {
                heads[index] = waiter;
            }
        }

        return heads;
    }
}
