using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

/// <summary>
/// One call from its request to its status. It ends once, by whatever comes first: the server's status, a failure, the
/// deadline, a cancellation or disposal; then everything it holds is let go.
/// </summary>
internal sealed partial class GrpcCall<TRequest, TResponse> : IDisposable
    where TRequest : class
    where TResponse : class
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(int.MaxValue);

    private readonly Lock _lock = new();
    private readonly GrpcChannel _channel;
    private readonly Method<TRequest, TResponse> _method;
    private readonly string? _host;
    private readonly CancellationTokenSource _cancellation = new();
    private readonly TaskCompletionSource<Status> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Metadata> _headers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationToken _token;
    private readonly DateTime? _deadline;

    private Task<ResponseMessageReader?> _opening = Task.FromResult<ResponseMessageReader?>(null);
    private UnaryRequestContent? _request;
    private HttpResponseMessage? _response;
    private Metadata _trailers = Metadata.Empty;
    private Timer? _deadlineTimer;
    private CancellationTokenRegistration _callerRegistration;
    private CancellationTokenRegistration _channelRegistration;
    private OperationCanceledException? _cancelled;

    public GrpcCall(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        _channel = channel;
        _method = method;
        _host = host;
        _token = _cancellation.Token;
        _deadline = options.Deadline is { } deadline && deadline != DateTime.MaxValue ? deadline.ToUniversalTime() : null;
        Options = options;
    }

    public CallOptions Options { get; }

    public Method<TRequest, TResponse> Method => _method;

    public int? MaxSendMessageSize => _channel.MaxSendMessageSize;

    public Task<Metadata> ResponseHeadersAsync => _headers.Task;

    /// <summary>Cancelled when the call ends otherwise than by the server's word.</summary>
    public CancellationToken Token => _token;

    public bool HasEnded => _ended.Task.IsCompleted;

    public Status GetStatus() => _ended.Task.IsCompletedSuccessfully
        ? _ended.Task.Result
        : throw new InvalidOperationException("Unable to get the status because the call is not complete.");

    public Metadata GetTrailers() => _ended.Task.IsCompletedSuccessfully
        ? _trailers
        : throw new InvalidOperationException("Unable to get the trailers because the call is not complete.");

    /// <summary>Starts a call with one request.</summary>
    public void StartWithRequest(TRequest request)
    {
        if (!TryArm())
        {
            return;
        }

        var serialization = new PooledSerializationContext();
        try
        {
            ReadOnlyMemory<byte> frame =
                serialization.Serialize(request, _method.RequestMarshaller.ContextualSerializer, MaxSendMessageSize);
            _request = new UnaryRequestContent(serialization, frame);
        }
        catch (Exception exception)
        {
            serialization.Release();
            End(ResponseStatus.FromException("Failed to serialize the request", exception));
            return;
        }

        _opening = OpenAsync(_request);
    }

    /// <summary>Starts a call with a stream of requests.</summary>
    public ClientStreamWriter<TRequest, TResponse> StartWithStream()
    {
        var content = new StreamingRequestContent();
        var writer = new ClientStreamWriter<TRequest, TResponse>(this, content);
        if (TryArm())
        {
            _opening = OpenAsync(content);
        }

        return writer;
    }

    /// <summary>Cancels the call if it hasn't ended.</summary>
    public void Dispose() => Cancel("gRPC call disposed.", null);

    /// <summary>Ends the call as cancelled by its caller.</summary>
    public void Cancel(string detail, OperationCanceledException? cause)
    {
        if (cause is not null)
        {
            _cancelled = cause;
        }

        End(new Status(StatusCode.Cancelled, detail));
    }

    public Exception ToException(Status status)
    {
        var exception = new RpcException(status, _trailers);
        return _channel.ThrowOperationCanceledOnCancellation
            && status.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded
            && (_token.IsCancellationRequested || _cancelled is not null)
                ? new OperationCanceledException(status.Detail, exception, Options.CancellationToken)
                : exception;
    }

    /// <summary>Watches cancellation and deadline; false if the call has ended before it began.</summary>
    private bool TryArm()
    {
        if (Options.CancellationToken.IsCancellationRequested)
        {
            Cancel("Call canceled by the client.", new OperationCanceledException(Options.CancellationToken));
            return false;
        }

        TimeSpan? left = _deadline - DateTime.UtcNow;
        if (left <= TimeSpan.Zero)
        {
            EndByDeadline();
            return false;
        }

        lock (_lock)
        {
            if (left <= LongestTimer)
            {
                _deadlineTimer = new Timer(
                    static call => ((GrpcCall<TRequest, TResponse>)call!).EndByDeadline(), this, left.Value, Timeout.InfiniteTimeSpan);
            }

            _callerRegistration = Options.CancellationToken.UnsafeRegister(
                static (call, token) => ((GrpcCall<TRequest, TResponse>)call!).Cancel(
                    "Call canceled by the client.", new OperationCanceledException(token)), this);
            _channelRegistration = _channel.Disposed.UnsafeRegister(
                static call => ((GrpcCall<TRequest, TResponse>)call!).Cancel("The channel was disposed.", null), this);
        }

        if (HasEnded)
        {
            Disarm();
            return false;
        }

        return true;
    }

    private void EndByDeadline() => End(new Status(StatusCode.DeadlineExceeded, ""));

    /// <summary>Ends the call, if nothing has ended it yet, and lets go of the connection.</summary>
    private void End(Status status) => End(status, Metadata.Empty, clean: false);

    private void End(Status status, Metadata trailers, bool clean)
    {
        lock (_lock)
        {
            if (_ended.Task.IsCompleted)
            {
                return;
            }

            // A server that notices the deadline first resets the stream; its caller should see the deadline.
            if (status.StatusCode == StatusCode.Cancelled && _deadline <= DateTime.UtcNow && !clean && _cancelled is null)
            {
                status = new Status(StatusCode.DeadlineExceeded, "", status.DebugException);
            }

            _trailers = trailers;
            _ended.SetResult(status);
        }

        Disarm();
        if (_headers.TrySetException(ToException(status)))
        {
            // Nobody need look at the headers.
            _ = _headers.Task.Exception;
        }

        // Stops writers, and resets the stream if either side is still open.
        _cancellation.Cancel();
        _response?.Dispose();
        if (clean)
        {
            _request?.Release();
        }

        if (status.StatusCode != StatusCode.OK)
        {
            _channel.Logger.CallFailed(_method.FullName, status.StatusCode, status.Detail);
        }
    }

    private void Disarm()
    {
        // Not Dispose on the registrations: it would wait for a callback that may be this very call.
        lock (_lock)
        {
            _deadlineTimer?.Dispose();
            _callerRegistration.Unregister();
            _channelRegistration.Unregister();
        }
    }
}
