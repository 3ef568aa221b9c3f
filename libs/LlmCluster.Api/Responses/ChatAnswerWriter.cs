using System.Buffers;
using System.Text.Json;
using LlmCluster.Api.Generate;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;

namespace LlmCluster.Api.Responses;

/// <summary>Answers of <c>/v1/chat/completions</c>.</summary>
internal sealed class ChatAnswerWriter(AnswerHeader header, AnswerOptions options) : AnswerWriter(header, options)
{
    protected override string WholeName => "chat.completion";

    protected override string ChunkName => "chat.completion.chunk";

    public override void WriteDelta(IBufferWriter<byte> output, int index, bool isFirst, TextDelta delta)
    {
        if (isFirst)
        {
            WriteChunk(output, index, FinishReason.None, this, static (json, _) =>
            {
                json.WriteStartObject("delta"u8);
                json.WriteString("role"u8, "assistant"u8);
                json.WriteString("content"u8, ""u8);
                json.WriteEndObject();
                json.WriteNull("logprobs"u8);
            });
        }

        if (delta.Text.Length > 0 || (delta.Tokens.Count > 0 && (HasLogprobs || Options.ReturnTokenIds)))
        {
            WriteChunk(output, index, FinishReason.None, (Writer: this, Delta: delta), static (json, s) =>
            {
                json.WriteStartObject("delta"u8);
                json.WriteString("content"u8, s.Delta.Text);
                json.WriteEndObject();
                s.Writer.WriteLogprobs(json, s.Delta.Tokens);
                s.Writer.WriteTokenIds(json, s.Delta.Tokens);
            });
        }

        if (delta.FinishReason != FinishReason.None)
        {
            WriteChunk(output, index, delta.FinishReason, this, static (json, _) =>
            {
                json.WriteStartObject("delta"u8);
                json.WriteEndObject();
                json.WriteNull("logprobs"u8);
            });
        }
    }

    protected override void WriteChoice(Utf8JsonWriter json, Choice choice)
    {
        json.WriteStartObject();
        json.WriteNumber("index"u8, choice.Index);
        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("content"u8, choice.Text);
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
        WriteLogprobs(json, choice.Tokens);
        WriteTokenIds(json, choice.Tokens);
        WriteFinishReason(json, choice.FinishReason);
        json.WriteEndObject();
    }

    private void WriteLogprobs(Utf8JsonWriter json, IReadOnlyList<OutputToken> tokens)
    {
        if (!HasLogprobs)
        {
            json.WriteNull("logprobs"u8);
            return;
        }

        json.WriteStartObject("logprobs"u8);
        json.WriteStartArray("content"u8);
        foreach (OutputToken token in tokens)
        {
            if (ListsLogprob(token))
            {
                WriteToken(json, token);
            }
        }

        json.WriteEndArray();
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
    }

    private static void WriteToken(Utf8JsonWriter json, OutputToken token)
    {
        json.WriteStartObject();
        WriteProbability(json, token.Text, token.Logprob, token.Bytes);
        json.WriteStartArray("top_logprobs"u8);
        foreach (TopToken top in token.Top ?? [])
        {
            json.WriteStartObject();
            WriteProbability(json, top.Text, top.Logprob, top.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteProbability(Utf8JsonWriter json, string text, float? logprob, byte[] bytes)
    {
        json.WriteString("token"u8, text);
        json.WriteNumber("logprob"u8, Logprobs.Finite(logprob));
        json.WriteStartArray("bytes"u8);
        foreach (byte value in bytes)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
    }
}
