using System.Threading.Channels;
using LlmCluster.Api.Errors;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Resilience;
using LlmCluster.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmCluster.Tests.Unit.Gateway.Admission;

/// <summary>A queue before a cluster that has room for a number of requests.</summary>
internal sealed class AdmissionWorld : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly InMemoryClusterState _state;
    private readonly StateHealth _health;
    private readonly Channel<string> _placed = Channel.CreateUnbounded<string>();
    private int _room;
    private int _attempts;

    public AdmissionWorld(int room)
    {
        _room = room;
        _state = new InMemoryClusterState(Time);
        _health = new StateHealth(Time, NullLogger<StateHealth>.Instance);
        Queue = new AdmissionQueue(new FairShares(_state.Accounts, _health, NullLogger<FairShares>.Instance), new AdmissionOptions(), Time);
    }

    /// <summary>Stands still, so that nothing is tried again but by a signal.</summary>
    public ManualTime Time { get; } = new();

    public AdmissionQueue Queue { get; }

    public int Room => Volatile.Read(ref _room);

    public int Attempts => Volatile.Read(ref _attempts);

    public static ServiceClass Class(string name = "c", int priority = 0, int maxQueued = 10_000) =>
        new(name, new ClassOptions { Priority = priority, MaxQueued = maxQueued });

    public static AdmissionRequest Request(string tenant = "t", int tokens = 1, double weight = 1, ServiceClass? @class = null) =>
        (@class ?? Class()) is var own ? new AdmissionRequest(tenant, weight, own, own.Options.Priority, tokens) : null!;

    /// <summary>Asks for one place; its name comes out of <see cref="NextAsync"/> when it has it.</summary>
    public async Task<string> AdmitAsync(string name, AdmissionRequest request, CancellationToken cancellationToken = default)
    {
        string placed = await Queue.AdmitAsync(request, _ => ValueTask.FromResult(Try(name)), cancellationToken);
        _placed.Writer.TryWrite(placed);
        return placed;
    }

    /// <summary>Takes a place where there is one.</summary>
    public AdmissionAttempt<string> Try(string name)
    {
        Interlocked.Increment(ref _attempts);
        if (Interlocked.Decrement(ref _room) >= 0)
        {
            return AdmissionAttempt<string>.Placed(name);
        }

        Interlocked.Increment(ref _room);
        return new AdmissionRefusal.NotNow("It is full.", null, HoldsOthers: true);
    }

    /// <summary>Gives places back.</summary>
    public void Release(int places = 1)
    {
        Interlocked.Add(ref _room, places);
        Queue.Signal();
    }

    /// <summary>Whoever is placed next.</summary>
    public async Task<string> NextAsync() => await _placed.Reader.ReadAsync().AsTask().WaitAsync(Deadline);

    /// <summary>The error that a request ends with.</summary>
    public static async Task<ApiError> ErrorAsync(Task request) =>
        (await Xunit.Assert.ThrowsAsync<ApiException>(() => request.WaitAsync(Deadline))).Error;

    public async ValueTask DisposeAsync()
    {
        Queue.Dispose();
        _health.Dispose();
        await _state.DisposeAsync();
    }
}
