using System.Buffers;
using System.Text.Json;
using LlmCluster.Api.Generate;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;

namespace LlmCluster.Api.Responses;

/// <summary>
/// Writes one answer in OpenAI's format: whole, or as chunks of a stream of server-sent events. Not safe to use from
/// several threads at once.
/// </summary>
public abstract class AnswerWriter : IDisposable
{
    private readonly Utf8JsonWriter _json = new(Stream.Null, ApiJson.WriterOptions);

    /// <summary>Creates a writer.</summary>
    protected AnswerWriter(AnswerHeader header, AnswerOptions options)
    {
        Header = header;
        Options = options;
    }

    /// <summary>What every part repeats.</summary>
    protected AnswerHeader Header { get; }

    /// <summary>What is wanted.</summary>
    protected AnswerOptions Options { get; }

    /// <summary>Whether choices carry log probabilities.</summary>
    protected bool HasLogprobs => Options.TopLogprobs >= 0;

    /// <summary>Value of <c>object</c> in a whole answer.</summary>
    protected abstract string WholeName { get; }

    /// <summary>Value of <c>object</c> in a chunk.</summary>
    protected abstract string ChunkName { get; }

    /// <summary>The writer for an answer.</summary>
    public static AnswerWriter Create(AnswerHeader header, AnswerOptions options) => header.Kind switch
    {
        AnswerKind.Chat => new ChatAnswerWriter(header, options),
        _ => new CompletionAnswerWriter(header, options),
    };

    /// <summary>Writes an answer that is not streamed.</summary>
    public void WriteWhole(IBufferWriter<byte> output, IReadOnlyList<Choice> choices, Usage usage)
    {
        Begin(output, WholeName);
        _json.WriteStartArray("choices"u8);
        foreach (Choice choice in choices)
        {
            WriteChoice(_json, choice);
        }

        _json.WriteEndArray();
        usage.Write(_json);
        _json.WriteEndObject();
        _json.Flush();
    }

    /// <summary>Writes the events that tell a piece of a choice; none when there is nothing to tell.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="index">Index of the choice.</param>
    /// <param name="isFirst">Whether it is the choice's first piece.</param>
    /// <param name="delta">The piece.</param>
    public abstract void WriteDelta(IBufferWriter<byte> output, int index, bool isFirst, TextDelta delta);

    /// <summary>Ends the stream: the usage if it is wanted, and the mark that all was sent.</summary>
    public void WriteEnd(IBufferWriter<byte> output, Usage usage)
    {
        if (Options.IncludeUsage)
        {
            BeginChunk(output);
            _json.WriteStartArray("choices"u8);
            _json.WriteEndArray();
            usage.Write(_json);
            EndEvent(output);
        }

        output.Write("data: [DONE]\n\n"u8);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _json.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes a whole choice.</summary>
    protected abstract void WriteChoice(Utf8JsonWriter json, Choice choice);

    /// <summary>Writes one event with one choice.</summary>
    protected void WriteChunk<TState>(IBufferWriter<byte> output, int index, FinishReason reason, TState state, Action<Utf8JsonWriter, TState> writeContent)
    {
        BeginChunk(output);
        _json.WriteStartArray("choices"u8);
        _json.WriteStartObject();
        _json.WriteNumber("index"u8, index);
        writeContent(_json, state);
        WriteFinishReason(_json, reason);
        _json.WriteEndObject();
        _json.WriteEndArray();
        if (Options.IncludeUsage)
        {
            _json.WriteNull("usage"u8);
        }

        EndEvent(output);
    }

    /// <summary>Writes why a choice ended, or null.</summary>
    protected static void WriteFinishReason(Utf8JsonWriter json, FinishReason reason)
    {
        switch (reason)
        {
            case FinishReason.Stop:
                json.WriteString("finish_reason"u8, "stop"u8);
                break;
            case FinishReason.Length:
                json.WriteString("finish_reason"u8, "length"u8);
                break;
            default:
                json.WriteNull("finish_reason"u8);
                break;
        }
    }

    /// <summary>Writes the ids when they are wanted.</summary>
    protected void WriteTokenIds(Utf8JsonWriter json, IReadOnlyList<OutputToken> tokens)
    {
        if (!Options.ReturnTokenIds)
        {
            return;
        }

        json.WriteStartArray("token_ids"u8);
        foreach (OutputToken token in tokens)
        {
            json.WriteNumberValue(token.Id);
        }

        json.WriteEndArray();
    }

    /// <summary>
    /// Whether log probabilities list a token. A stop token that gives no text is left out, so that the tokens listed
    /// are those of the text; who asks for ids gets one entry for each id.
    /// </summary>
    protected bool ListsLogprob(OutputToken token) => !token.IsStop || Options.IncludeStop || Options.ReturnTokenIds;

    private void BeginChunk(IBufferWriter<byte> output)
    {
        output.Write("data: "u8);
        Begin(output, ChunkName);
    }

    private void Begin(IBufferWriter<byte> output, string name)
    {
        _json.Reset(output);
        _json.WriteStartObject();
        _json.WriteString("id"u8, Header.Id);
        _json.WriteString("object"u8, name);
        _json.WriteNumber("created"u8, Header.Created);
        _json.WriteString("model"u8, Header.Model);
        _json.WriteString("system_fingerprint"u8, Header.SystemFingerprint);
    }

    private void EndEvent(IBufferWriter<byte> output)
    {
        _json.WriteEndObject();
        _json.Flush();
        output.Write("\n\n"u8);
    }
}
