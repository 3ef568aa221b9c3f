namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>One pre-tokenizer after the other; each piece goes through all of them before the next one starts.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<IPreTokenizer> stages) : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink)
    {
        for (int i = stages.Count - 1; i > 0; i--)
        {
            sink = new Stage(stages[i], sink);
        }

        if (stages.Count == 0)
        {
            sink.Add(piece);
        }
        else
        {
            stages[0].Split(piece, sink);
        }
    }

    private sealed class Stage(IPreTokenizer preTokenizer, IPieceSink next) : IPieceSink
    {
        public void Add(in Piece piece) => preTokenizer.Split(piece, next);
    }
}
