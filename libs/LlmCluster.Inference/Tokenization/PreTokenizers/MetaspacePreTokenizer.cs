using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Which pieces get a mark in front when they have none.</summary>
internal enum PrependScheme
{
    /// <summary>All.</summary>
    Always,

    /// <summary>The one that the input starts with.</summary>
    First,

    /// <summary>None.</summary>
    Never,
}

/// <summary>Makes spaces visible marks (U+2581, say) and cuts before them.</summary>
internal sealed class MetaspacePreTokenizer(char mark, PrependScheme scheme, bool split) : IPreTokenizer
{
    private readonly SplitPreTokenizer? _split =
        split ? new SplitPreTokenizer(new LiteralPattern(mark.ToString()), SplitBehavior.MergedWithNext, invert: false) : null;

    public void Split(in Piece piece, IPieceSink sink)
    {
        string text = piece.Span.ToString().Replace(' ', mark);
        if (text[0] != mark && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && piece.AtStart)))
        {
            text = mark + text;
        }

        var marked = piece.With(text);
        if (_split is null)
        {
            sink.Add(marked);
        }
        else
        {
            _split.Split(marked, sink);
        }
    }
}
