using System.Globalization;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>A set of code points as sorted ranges that neither touch nor overlap. Immutable.</summary>
internal sealed class CodePointSet
{
    public const int Highest = 0x10FFFF;

    private readonly (int First, int Last)[] _ranges;

    private CodePointSet((int, int)[] ranges) => _ranges = ranges;

    public static CodePointSet Empty { get; } = new([]);

    public static CodePointSet All { get; } = new([(0, Highest)]);

    public ReadOnlySpan<(int First, int Last)> Ranges => _ranges;

    public static CodePointSet Of(int codePoint) => new([(codePoint, codePoint)]);

    public static CodePointSet Range(int first, int last) => new([(first, last)]);

    /// <summary>Ranges in any order.</summary>
    public static CodePointSet FromRanges(IEnumerable<(int First, int Last)> ranges)
    {
        var merged = new List<(int First, int Last)>();
        foreach (var range in ranges.OrderBy(r => r.First))
        {
            if (merged.Count > 0 && range.First <= merged[^1].Last + 1)
            {
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, range.Last));
            }
            else
            {
                merged.Add(range);
            }
        }

        return new CodePointSet([.. merged]);
    }

    /// <summary>The code points for which something holds.</summary>
    public static CodePointSet Where(Func<int, bool> predicate)
    {
        var ranges = new List<(int, int)>();
        int first = -1;
        for (int codePoint = 0; codePoint <= Highest + 1; codePoint++)
        {
            bool inside = codePoint <= Highest && predicate(codePoint);
            if (inside && first < 0)
            {
                first = codePoint;
            }
            else if (!inside && first >= 0)
            {
                ranges.Add((first, codePoint - 1));
                first = -1;
            }
        }

        return new CodePointSet([.. ranges]);
    }

    public static CodePointSet OfCategories(Func<UnicodeCategory, bool> predicate) =>
        Where(codePoint => predicate(CharUnicodeInfo.GetUnicodeCategory(codePoint)));

    public CodePointSet Union(CodePointSet other) => FromRanges(_ranges.Concat(other._ranges));

    public CodePointSet Intersect(CodePointSet other) => Complement().Union(other.Complement()).Complement();

    public CodePointSet Complement()
    {
        var ranges = new List<(int, int)>();
        int next = 0;
        foreach (var (first, last) in _ranges)
        {
            if (first > next)
            {
                ranges.Add((next, first - 1));
            }

            next = last + 1;
        }

        if (next <= Highest)
        {
            ranges.Add((next, Highest));
        }

        return new CodePointSet([.. ranges]);
    }

    public bool Contains(int codePoint)
    {
        foreach (var (first, last) in _ranges)
        {
            if (codePoint <= last)
            {
                return codePoint >= first;
            }
        }

        return false;
    }

    /// <summary>The set with every code point that differs from one of its own by case alone.</summary>
    public CodePointSet IgnoreCase()
    {
        var added = new List<(int, int)>(_ranges);
        foreach (var (first, last) in _ranges)
        {
            for (int codePoint = first; codePoint <= last; codePoint++)
            {
                foreach (int variant in CaseVariants.Of(codePoint))
                {
                    added.Add((variant, variant));
                }
            }
        }

        return FromRanges(added);
    }
}
