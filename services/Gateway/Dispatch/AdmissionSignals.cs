using LlmCluster.Cluster;
using LlmCluster.Gateway.Admission;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>Has those that wait in the queue tried again when room is given back, and when workers come or go.</summary>
internal sealed class AdmissionSignals(AdmissionQueue queue, RoomBook rooms, ClusterView view) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        rooms.Released += queue.Signal;
        view.Changed += OnChanged;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        rooms.Released -= queue.Signal;
        view.Changed -= OnChanged;
        return Task.CompletedTask;
    }

    private void OnChanged(IReadOnlyList<WorkerSnapshot> workers) => queue.Signal();
}
