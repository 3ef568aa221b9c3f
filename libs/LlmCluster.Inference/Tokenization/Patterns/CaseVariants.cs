using System.Text;

namespace LlmCluster.Inference.Tokenization.Patterns;

/// <summary>Code points that are one letter in different cases: s, S and U+017F, say.</summary>
internal static class CaseVariants
{
    private static readonly Lazy<Dictionary<int, int[]>> Groups = new(Build);

    /// <summary>The other members of a code point's group.</summary>
    public static ReadOnlySpan<int> Of(int codePoint) =>
        Groups.Value.TryGetValue(codePoint, out int[]? group) ? group : [];

    private static Dictionary<int, int[]> Build()
    {
        // Two code points belong together when they fold to the same one: upper case first, since some letters (the long
        // s, the final sigma) differ from their kin in lower case only.
        var members = new Dictionary<int, List<int>>();
        for (int codePoint = 0; codePoint <= CodePointSet.Highest; codePoint++)
        {
            if (!Rune.IsValid(codePoint))
            {
                continue;
            }

            var rune = new Rune(codePoint);
            int folded = Fold(rune);
            if (folded != codePoint || Rune.ToLowerInvariant(rune) != rune)
            {
                Group(folded).Add(codePoint);
            }
        }

        var groups = new Dictionary<int, int[]>();
        foreach (var (folded, group) in members)
        {
            foreach (int codePoint in group.Append(folded).Distinct())
            {
                groups[codePoint] = [.. group.Append(folded).Distinct().Where(other => other != codePoint)];
            }
        }

        return groups;

        List<int> Group(int folded) => members.TryGetValue(folded, out var group) ? group : members[folded] = [];
    }

    private static int Fold(Rune rune) => rune.Value switch
    {
        0x017F => 's',
        0x212A => 'k',
        0x2126 => 0x03C9,
        0x212B => 0x00E5,
        0x1E9E => 0x00DF,
        _ => Rune.ToLowerInvariant(Rune.ToUpperInvariant(rune)).Value,
    };
}
