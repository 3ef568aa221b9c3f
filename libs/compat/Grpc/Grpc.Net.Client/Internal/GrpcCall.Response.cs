using System.Net;
using Grpc.Core;
using Grpc.Core.Wire;

namespace Grpc.Net.Client.Internal;

internal sealed partial class GrpcCall<TRequest, TResponse>
{
    private readonly SequenceDeserializationContext _deserialization = new();

    /// <summary>The response of a call that has one.</summary>
    public Task<TResponse> ReadResponse()
    {
        Task<TResponse> response = ReadSingleAsync();
        // The caller may look at the streams or the status alone.
        _ = response.ContinueWith(
            static task => _ = task.Exception, CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return response;
    }

    /// <summary>The next response, or null at the end of a call whose status is OK.</summary>
    public async ValueTask<TResponse?> ReadNextAsync()
    {
        ResponseMessageReader? reader = await _opening.ConfigureAwait(false);
        if (reader is not null && !HasEnded)
        {
            try
            {
                if (await reader.ReadAsync(_token).ConfigureAwait(false))
                {
                    return Deserialize(reader);
                }

                reader.Release();
                EndByTrailers();
            }
            catch (Exception exception)
            {
                EndByFailure("Failed to read the response", exception);
            }
        }

        Status status = await _ended.Task.ConfigureAwait(false);
        return status.StatusCode == StatusCode.OK ? null : throw ToException(status);
    }

    private async Task<TResponse> ReadSingleAsync()
    {
        TResponse? message = null;
        ResponseMessageReader? reader = await _opening.ConfigureAwait(false);
        if (reader is not null && !HasEnded)
        {
            try
            {
                if (await reader.ReadAsync(_token).ConfigureAwait(false))
                {
                    message = Deserialize(reader);
                    if (await reader.ReadAsync(_token).ConfigureAwait(false))
                    {
                        throw new RpcException(new Status(
                            StatusCode.Internal, $"{_method.FullName} has one response, but the server sent more."));
                    }
                }

                reader.Release();
                EndByTrailers(expectMessage: message is null);
            }
            catch (Exception exception)
            {
                EndByFailure("Failed to read the response", exception);
            }
        }

        Status status = await _ended.Task.ConfigureAwait(false);
        if (status.StatusCode != StatusCode.OK)
        {
            throw ToException(status);
        }

        return message ?? throw ToException(new Status(StatusCode.Internal, NoResponse));
    }

    private string NoResponse => $"{_method.FullName} has one response, but the server sent none.";

    /// <summary>Sends the request; gives the reader of the response's messages, or null if the call ended without any.</summary>
    private async Task<ResponseMessageReader?> OpenAsync(HttpContent content)
    {
        try
        {
            HttpResponseMessage response = await _channel.SendAsync(CreateRequest(content), _token).ConfigureAwait(false);
            lock (_lock)
            {
                _response = response;
            }

            if (HasEnded)
            {
                response.Dispose();
                return null;
            }

            return await BeginResponseAsync(response).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            EndByFailure("Failed to start the call", exception);
            return null;
        }
    }

    private async Task<ResponseMessageReader?> BeginResponseAsync(HttpResponseMessage response)
    {
        Metadata headers = ResponseStatus.ToMetadata(response.Headers);
        if (ResponseStatus.FromHeaders(response) is { } status)
        {
            // A status in the headers comes with what would have been trailers.
            _headers.TrySetResult(headers);
            End(status, headers, clean: true);
            return null;
        }

        _headers.TrySetResult(headers);
        Stream stream = await response.Content.ReadAsStreamAsync(_token).ConfigureAwait(false);
        return new ResponseMessageReader(stream, _channel.MaxReceiveMessageSize);
    }

    private HttpRequestMessage CreateRequest(HttpContent content)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, _channel.AddressOf(_method))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TryAddWithoutValidation("te", "trailers");
        request.Headers.TryAddWithoutValidation("user-agent", UserAgent.Value);
        request.Headers.TryAddWithoutValidation(GrpcHeaders.AcceptEncoding, GrpcHeaders.IdentityEncoding);
        request.Headers.Host = _host;
        if (_deadline is { } deadline)
        {
            request.Headers.TryAddWithoutValidation(GrpcHeaders.Timeout, TimeoutEncoding.Encode(deadline - DateTime.UtcNow));
        }

        foreach (Metadata.Entry entry in Options.Headers ?? Metadata.Empty)
        {
            if (!request.Headers.TryAddWithoutValidation(entry.Key, MetadataEncoding.Encode(entry)))
            {
                throw new RpcException(new Status(
                    StatusCode.InvalidArgument, $"The metadata key '{entry.Key}' can't be sent as a request header."));
            }
        }

        return request;
    }

    private TResponse Deserialize(ResponseMessageReader reader)
    {
        try
        {
            _deserialization.Set(reader.Payload);
            return _method.ResponseMarshaller.ContextualDeserializer(_deserialization);
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw new RpcException(new Status(
                StatusCode.Internal, $"Failed to deserialize the response: {exception.Message}", exception));
        }
        finally
        {
            _deserialization.Clear();
        }
    }

    private void EndByTrailers(bool expectMessage = false)
    {
        HttpResponseMessage response = _response!;
        Status status = ResponseStatus.FromTrailers(response);
        Metadata trailers = ResponseStatus.ToMetadata(response.TrailingHeaders);
        if (expectMessage && status.StatusCode == StatusCode.OK)
        {
            status = new Status(StatusCode.Internal, NoResponse);
        }

        End(status, trailers, clean: true);
    }

    private void EndByFailure(string doing, Exception exception)
    {
        // When the call has ended already its cancellation is what failed here, and this does nothing.
        End(ResponseStatus.FromException(doing, exception));
    }
}
