using System.Buffers;

namespace LlmCluster.Testing;

/// <summary>Sequences of several pieces, as pipes give them.</summary>
public static class Segments
{
    /// <summary>The bytes in pieces that end at <paramref name="cuts"/>, ascending, and at their end; a piece may be empty.</summary>
    public static ReadOnlySequence<byte> CutAt(byte[] bytes, params IEnumerable<int> cuts)
    {
        Segment? first = null;
        Segment? last = null;
        int start = 0;
        foreach (int end in cuts.Append(bytes.Length))
        {
            last = new Segment(bytes.AsMemory(start, end - start), last);
            first ??= last;
            start = end;
        }

        return new ReadOnlySequence<byte>(first!, 0, last!, last!.Memory.Length);
    }

    /// <summary>The bytes in pieces of <paramref name="length"/>; the last may be shorter.</summary>
    public static ReadOnlySequence<byte> Of(byte[] bytes, int length) =>
        CutAt(bytes, Enumerable.Range(1, Math.Max(0, (bytes.Length - 1) / length)).Select(i => i * length));

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? previous)
        {
            Memory = memory;
            if (previous is not null)
            {
                previous.Next = this;
                RunningIndex = previous.RunningIndex + previous.Memory.Length;
            }
        }
    }
}
