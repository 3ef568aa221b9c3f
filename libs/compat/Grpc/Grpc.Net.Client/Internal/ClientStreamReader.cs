using Grpc.Core;

namespace Grpc.Net.Client.Internal;

/// <summary>The responses of a call as its caller reads them.</summary>
internal sealed class ClientStreamReader<TRequest, TResponse>(GrpcCall<TRequest, TResponse> call) : IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    private static readonly Task<bool> True = Task.FromResult(true);

    private TResponse? _current;
    private int _reading;

    public TResponse Current => _current ?? throw new InvalidOperationException("No message: call MoveNext, and read Current when it gave true.");

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _reading, 1) != 0)
        {
            throw new InvalidOperationException("Can't read the next message because the previous read is still in progress.");
        }

        _current = null;
        CancellationTokenRegistration registration = default;
        if (cancellationToken.CanBeCanceled && cancellationToken != call.Options.CancellationToken)
        {
            // As the messages before the one waited for can't be told from those after it, this cancels the call.
            registration = cancellationToken.UnsafeRegister(
                static (state, token) => ((GrpcCall<TRequest, TResponse>)state!).Cancel(
                    "Call canceled by the client.", new OperationCanceledException(token)), call);
        }

        ValueTask<TResponse?> reading = call.ReadNextAsync();
        if (reading.IsCompletedSuccessfully && reading.Result is { } message)
        {
            registration.Dispose();
            _current = message;
            Volatile.Write(ref _reading, 0);
            return True;
        }

        return AwaitAsync(reading, registration);
    }

    private async Task<bool> AwaitAsync(ValueTask<TResponse?> reading, CancellationTokenRegistration registration)
    {
        try
        {
            _current = await reading.ConfigureAwait(false);
            return _current is not null;
        }
        finally
        {
            registration.Unregister();
            Volatile.Write(ref _reading, 0);
        }
    }
}
