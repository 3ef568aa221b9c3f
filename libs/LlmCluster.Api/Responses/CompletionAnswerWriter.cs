using System.Buffers;
using System.Text.Json;
using LlmCluster.Api.Generate;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;

namespace LlmCluster.Api.Responses;

/// <summary>Answers of <c>/v1/completions</c>.</summary>
internal sealed class CompletionAnswerWriter(AnswerHeader header, AnswerOptions options) : AnswerWriter(header, options)
{
    protected override string WholeName => "text_completion";

    protected override string ChunkName => "text_completion";

    public override void WriteDelta(IBufferWriter<byte> output, int index, bool isFirst, TextDelta delta)
    {
        bool tells = delta.Text.Length > 0 || delta.FinishReason != FinishReason.None || HasLogprobs || Options.ReturnTokenIds;
        if (tells)
        {
            WriteChunk(output, index, delta.FinishReason, (Writer: this, Delta: delta), static (json, s) => s.Writer.WriteContent(json, s.Delta.Text, s.Delta.Tokens));
        }
    }

    protected override void WriteChoice(Utf8JsonWriter json, Choice choice)
    {
        json.WriteStartObject();
        json.WriteNumber("index"u8, choice.Index);
        WriteContent(json, choice.Text, choice.Tokens);
        WriteFinishReason(json, choice.FinishReason);
        json.WriteEndObject();
    }

    private void WriteContent(Utf8JsonWriter json, string text, IReadOnlyList<OutputToken> tokens)
    {
        json.WriteString("text"u8, text);
        if (HasLogprobs)
        {
            json.WriteStartObject("logprobs"u8);
            LegacyLogprobs.Write(json, tokens, ListsLogprob);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("logprobs"u8);
        }

        WriteTokenIds(json, tokens);
    }
}
