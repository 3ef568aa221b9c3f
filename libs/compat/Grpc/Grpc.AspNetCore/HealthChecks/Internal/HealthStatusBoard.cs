using Grpc.Health.V1;

namespace Grpc.AspNetCore.HealthChecks.Internal;

/// <summary>The statuses that were last published, and a signal for the next change.</summary>
internal sealed class HealthStatusBoard
{
    private readonly Lock _lock = new();
    private IReadOnlyDictionary<string, HealthCheckResponse.Types.ServingStatus> _statuses =
        new Dictionary<string, HealthCheckResponse.Types.ServingStatus>();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends at the next <see cref="Publish"/>. Take it before looking at a status, so that no change is missed.</summary>
    public Task Changed
    {
        get
        {
            lock (_lock)
            {
                return _changed.Task;
            }
        }
    }

    public HealthCheckResponse.Types.ServingStatus? Find(string service)
    {
        lock (_lock)
        {
            return _statuses.TryGetValue(service, out HealthCheckResponse.Types.ServingStatus status) ? status : null;
        }
    }

    public void Publish(IReadOnlyDictionary<string, HealthCheckResponse.Types.ServingStatus> statuses)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            _statuses = statuses;
            changed = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        changed.SetResult();
    }
}
