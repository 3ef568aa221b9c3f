using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server.Internal;

internal sealed partial class HttpServerCallContext
{
    private static readonly TimeSpan LongestTimer = TimeSpan.FromMilliseconds(int.MaxValue);
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);
    private static readonly Status DeadlineStatus = new(StatusCode.DeadlineExceeded, "Deadline Exceeded");

    // Held by whoever writes to the response: one write at a time, and the deadline's answer between two.
    private readonly SemaphoreSlim _response = new(1, 1);
    private CancellationTokenSource? _cancellation;
    private Timer? _deadlineTimer;
    private Task _deadlineAnswer = Task.CompletedTask;
    private volatile bool _deadlineExceeded;
    private bool _ended;

    /// <summary>Set when reading shows that the client has reset the stream, which the token may say a moment later.</summary>
    public bool ClientHasGone { get; set; }

    /// <summary>Arms the deadline.</summary>
    public void Start()
    {
        string? header = HttpContext.Request.Headers[GrpcHeaders.Timeout];
        if (header is null)
        {
            return;
        }

        if (!TimeoutEncoding.TryDecode(header, out TimeSpan timeout))
        {
            throw new RpcException(new Status(
                StatusCode.Internal, $"The grpc-timeout '{header}' is not valid: up to eight digits and one of H, M, S, m, u, n are expected."));
        }

        DateTime now = DateTime.UtcNow;
        _deadline = timeout < DateTime.MaxValue - now ? now + timeout : DateTime.MaxValue;
        if (timeout > LongestTimer)
        {
            return;
        }

        _cancellation = CancellationTokenSource.CreateLinkedTokenSource(HttpContext.RequestAborted);
        _token = _cancellation.Token;
        _deadlineTimer = new Timer(static state => ((HttpServerCallContext)state!).OnDeadline(), this, timeout, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Takes the response for one write.</summary>
    public void BeginWrite()
    {
        if (!_response.Wait(0, CancellationToken.None))
        {
            _token.ThrowIfCancellationRequested();
            throw new InvalidOperationException("Can't write the message because the previous write is in progress.");
        }

        if (_ended)
        {
            _response.Release();
            _token.ThrowIfCancellationRequested();
            throw new InvalidOperationException("Can't write the message because the request is complete.");
        }
    }

    public void EndWrite() => _response.Release();

    /// <summary>Takes the status from what a handler threw.</summary>
    public void Fail(Exception exception)
    {
        if (exception is RpcException rpc)
        {
            foreach (Metadata.Entry entry in rpc.Trailers)
            {
                ResponseTrailers.Add(entry);
            }

            Status = rpc.Status;
            Server.Logger.HandlerRefused(Method, rpc.StatusCode, rpc.Status.Detail);
        }
        else if (_deadlineExceeded)
        {
            Status = DeadlineStatus;
        }
        else if (ClientHasGone || HttpContext.RequestAborted.IsCancellationRequested)
        {
            Status = new Status(StatusCode.Cancelled, "The client cancelled the call.");
            Server.Logger.ClientCancelled(Method);
        }
        else
        {
            string detail = Server.Options.EnableDetailedErrors == true
                ? $"Exception was thrown by handler. {exception.GetType().Name}: {exception.Message}"
                : "Exception was thrown by handler.";
            Status = new Status(StatusCode.Unknown, detail, exception);
            Server.Logger.HandlerFailed(exception, Method);
        }
    }

    /// <summary>Ends the call: sends status and trailers unless the deadline did.</summary>
    public async Task EndAsync()
    {
        if (_deadlineTimer is not null)
        {
            // Nothing of the call may be touched once the request has ended.
            await _deadlineTimer.DisposeAsync().ConfigureAwait(false);
            await _deadlineAnswer.ConfigureAwait(false);
        }

        await _response.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        if (!_ended)
        {
            _ended = true;
            ResponseEnd.Write(HttpContext.Response, _deadlineExceeded ? DeadlineStatus : Status, _responseTrailers);
        }

        _response.Release();
        _cancellation?.Dispose();
    }

    private void OnDeadline()
    {
        _deadlineExceeded = true;
        _deadlineAnswer = AnswerDeadlineAsync();
    }

    /// <summary>Answers at the deadline whatever the handler does; a write in progress is cancelled first.</summary>
    private async Task AnswerDeadlineAsync()
    {
        try
        {
            await _cancellation!.CancelAsync().ConfigureAwait(false);
            await _response.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            try
            {
                if (!_ended)
                {
                    _ended = true;
                    ResponseEnd.Write(HttpContext.Response, DeadlineStatus, null);
                    await CompleteOrAbortAsync().ConfigureAwait(false);
                }
            }
            finally
            {
                _response.Release();
            }
        }
        catch (Exception exception)
        {
            Server.Logger.DeadlineAnswerFailed(exception, Method);
        }
    }

    /// <summary>Ends the response; a client that takes no more data, and so wouldn't get the status, is reset instead.</summary>
    private async Task CompleteOrAbortAsync()
    {
        Task completing = HttpContext.Response.CompleteAsync();
        using var waiting = new CancellationTokenSource();
        if (await Task.WhenAny(completing, Task.Delay(LastWords, waiting.Token)).ConfigureAwait(false) != completing)
        {
            Abort(Http2Error.Cancel);
        }

        await waiting.CancelAsync().ConfigureAwait(false);
        await completing.ConfigureAwait(false);
    }
}
