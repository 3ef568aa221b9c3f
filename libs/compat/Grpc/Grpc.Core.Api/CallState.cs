namespace Grpc.Core;

/// <summary>What the four call objects share: headers, status, trailers and disposal, as delegates of the invoker.</summary>
internal readonly struct CallState
{
    private readonly object? _state;
    private readonly object _headers;
    private readonly Delegate _status;
    private readonly Delegate _trailers;
    private readonly Delegate _dispose;

    public CallState(Task<Metadata> headers, Func<Status> status, Func<Metadata> trailers, Action dispose)
    {
        (_headers, _status, _trailers, _dispose, _state) = (headers, status, trailers, dispose, null);
    }

    public CallState(
        Func<object, Task<Metadata>> headers,
        Func<object, Status> status,
        Func<object, Metadata> trailers,
        Action<object> dispose,
        object state)
    {
        (_headers, _status, _trailers, _dispose, _state) = (headers, status, trailers, dispose, state);
    }

    public Task<Metadata> ResponseHeadersAsync() =>
        _headers as Task<Metadata> ?? ((Func<object, Task<Metadata>>)_headers)(_state!);

    public Status GetStatus() => _status is Func<Status> simple ? simple() : ((Func<object, Status>)_status)(_state!);

    public Metadata GetTrailers() => _trailers is Func<Metadata> simple ? simple() : ((Func<object, Metadata>)_trailers)(_state!);

    public void Dispose()
    {
        if (_dispose is Action simple)
        {
            simple();
        }
        else
        {
            ((Action<object>)_dispose)(_state!);
        }
    }
}
