using System.Text;
using LlmCluster.Api.Responses;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Output;

namespace LlmCluster.Worker.Generate;

/// <summary>Gathers the pieces of a choice that is not streamed.</summary>
internal sealed class ChoiceBuilder(int index)
{
    private readonly StringBuilder _text = new();
    private readonly List<OutputToken> _tokens = [];
    private FinishReason _reason;

    public void Add(TextDelta delta)
    {
        _text.Append(delta.Text);
        _tokens.AddRange(delta.Tokens);
        _reason = delta.FinishReason;
    }

    public Choice Build() => new(index, _text.ToString(), _tokens, _reason);
}
