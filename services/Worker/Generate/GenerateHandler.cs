using System.Buffers;
using System.Threading.Channels;
using LlmCluster.Api.Errors;
using LlmCluster.Api.Generate;
using LlmCluster.Api.Responses;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Worker.Sequences;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Generate;

/// <summary>Answers one request: opens its sequences and writes what they generate in OpenAI's formats.</summary>
internal sealed partial class GenerateHandler(ISequenceSource source, ITokenizer tokenizer, ILogger<GenerateHandler> logger)
{
    public ILogger Logger => logger;

    /// <summary>Writes the answer; nothing of it before the first token, so that a failure until then has a status.</summary>
    /// <exception cref="ApiException">The request failed before the response began.</exception>
    /// <exception cref="OperationCanceledException">The client hung up.</exception>
    public async Task AnswerAsync(HttpResponse response, GenerateRequest request, CancellationToken cancellationToken)
    {
        var sequences = new SequenceReader(source, tokenizer, request, cancellationToken);
        await using (sequences.ConfigureAwait(false))
        {
            using AnswerWriter writer = AnswerWriter.Create(request.Answer, request.Options);
            var usage = new UsageMeter(request.Sequences.Count);
            var body = new StreamedBody(response);
            try
            {
                await (request.Options.Stream
                    ? StreamAsync(body, sequences.Pieces, writer, usage, cancellationToken)
                    : WriteWholeAsync(response, request, sequences.Pieces, writer, usage, cancellationToken)).ConfigureAwait(false);
                LogAnswered(request.RequestId, usage.Usage.PromptTokens, usage.Usage.CachedTokens, usage.Usage.CompletionTokens);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                ApiError error = Describe(request, e);
                if (!response.HasStarted)
                {
                    response.Headers[GenerateHeaders.Usage] = GenerateHeaders.FormatUsage(usage.Usage);
                    throw error.ToException(e);
                }

                body.Output.Write(ApiErrorWriter.ToEvent(error));
                await body.EndAsync(usage.Usage, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw new OperationCanceledException("The client hung up.", e, cancellationToken);
            }
        }
    }

    private static async Task StreamAsync(
        StreamedBody body, ChannelReader<SequencePiece> pieces, AnswerWriter writer, UsageMeter usage, CancellationToken cancellationToken)
    {
        while (await pieces.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            body.Begin();

            // What is there goes out together: one write for many tokens when the client is slower than the model.
            while (pieces.TryRead(out SequencePiece piece))
            {
                bool isFirst = usage.Add(piece);
                writer.WriteDelta(body.Output, piece.Sequence.Index, isFirst, piece.Delta);
            }

            await body.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        writer.WriteEnd(body.Output, usage.Usage);
        await body.EndAsync(usage.Usage, cancellationToken).ConfigureAwait(false);
    }

    private static async Task WriteWholeAsync(
        HttpResponse response, GenerateRequest request, ChannelReader<SequencePiece> pieces, AnswerWriter writer, UsageMeter usage, CancellationToken cancellationToken)
    {
        ChoiceBuilder[] choices = [.. request.Sequences.Select(s => new ChoiceBuilder(s.Index))];
        await foreach (SequencePiece piece in pieces.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            usage.Add(piece);
            choices[piece.Sequence.Index].Add(piece.Delta);
        }

        var body = new ArrayBufferWriter<byte>();
        writer.WriteWhole(body, Array.ConvertAll(choices, c => c.Build()), usage.Usage);
        response.ContentType = ApiJson.ContentType;
        response.ContentLength = body.WrittenCount;
        response.Headers[GenerateHeaders.Usage] = GenerateHeaders.FormatUsage(usage.Usage);
        await response.Body.WriteAsync(body.WrittenMemory, cancellationToken).ConfigureAwait(false);
    }

    private ApiError Describe(GenerateRequest request, Exception exception)
    {
        switch (exception)
        {
            case GenerationException { Error: not GenerationError.Internal } e:
                LogFailed(request.RequestId, e.Error, e.Message);
                return e.ToApiError();
            case GenerationException e:
                LogDefect(e, request.RequestId);
                return e.ToApiError();
            case OperationCanceledException:
                LogFailed(request.RequestId, GenerationError.Unavailable, exception.Message);
                return ApiError.Unavailable("The worker dropped the request.");
            default:
                LogDefect(exception, request.RequestId);
                return ApiError.Internal("The worker failed; its log has the details.");
        }
    }
}
