using LlmCluster.Inference.Tokenization.Patterns;

namespace LlmCluster.Inference.Tokenization.PreTokenizers;

/// <summary>Cuts at what a pattern finds, or, inverted, at what it does not.</summary>
internal sealed class SplitPreTokenizer(ITextPattern pattern, SplitBehavior behavior, bool invert) : IPreTokenizer
{
    public void Split(in Piece piece, IPieceSink sink)
    {
        var splitter = new Splitter(piece, sink, behavior, invert);
        pattern.Find(piece.Span, splitter);
        splitter.Finish();
    }

    private sealed class Splitter(Piece piece, IPieceSink sink, SplitBehavior behavior, bool invert) : IMatchSink
    {
        private int _done;
        private int _pendingStart;
        private int _pendingLength;
        private bool _pendingIsMatch;
        private bool _hasPending;

        public void Match(int start, int length)
        {
            if (start > _done)
            {
                Segment(_done, start - _done, invert);
            }

            Segment(start, length, !invert);
            _done = start + length;
        }

        public void Finish()
        {
            if (_done < piece.Length)
            {
                Segment(_done, piece.Length - _done, invert);
            }

            if (_hasPending)
            {
                Emit(_pendingStart, _pendingLength);
            }
        }

        private void Segment(int start, int length, bool isMatch)
        {
            switch (behavior)
            {
                case SplitBehavior.Removed:
                    if (!isMatch)
                    {
                        Emit(start, length);
                    }

                    break;

                case SplitBehavior.Isolated:
                    Emit(start, length);
                    break;

                case SplitBehavior.Contiguous:
                    Hold(start, length, isMatch, joins: isMatch == _pendingIsMatch);
                    break;

                case SplitBehavior.MergedWithPrevious:
                    Hold(start, length, isMatch, joins: isMatch && !_pendingIsMatch);
                    break;

                case SplitBehavior.MergedWithNext:
                    Hold(start, length, isMatch, joins: !isMatch && _pendingIsMatch);
                    break;
            }
        }

        /// <summary>Joins a segment to the one held back, or passes that one on and holds this one back.</summary>
        private void Hold(int start, int length, bool isMatch, bool joins)
        {
            if (_hasPending && joins)
            {
                _pendingLength = start + length - _pendingStart;
            }
            else
            {
                if (_hasPending)
                {
                    Emit(_pendingStart, _pendingLength);
                }

                _pendingStart = start;
                _pendingLength = length;
                _hasPending = true;
            }

            _pendingIsMatch = isMatch;
        }

        private void Emit(int start, int length)
        {
            if (length > 0)
            {
                sink.Add(piece.Slice(start, length));
            }
        }
    }
}
