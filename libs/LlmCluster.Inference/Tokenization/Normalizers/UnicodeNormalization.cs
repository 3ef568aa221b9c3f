using System.Text;

namespace LlmCluster.Inference.Tokenization.Normalizers;

/// <summary>
/// Unicode normalization (UAX #15) with data of its own: with invariant globalization, as in small containers, the
/// runtime's <see cref="string.Normalize()"/> leaves text that is not ASCII as it is.
/// </summary>
internal static class UnicodeNormalization
{
    private const int SyllableBase = 0xAC00;
    private const int LeadBase = 0x1100;
    private const int VowelBase = 0x1161;
    private const int TailBase = 0x11A7;
    private const int Leads = 19;
    private const int Vowels = 21;
    private const int Tails = 28;
    private const int Syllables = Leads * Vowels * Tails;

    /// <summary>Normalizes text.</summary>
    /// <param name="text">Well-formed UTF-16.</param>
    /// <param name="compatibility">Whether compatibility characters are decomposed, too (NFKC, NFKD).</param>
    /// <param name="compose">Whether characters are composed again (NFC, NFKC).</param>
    public static string Normalize(string text, bool compatibility, bool compose)
    {
        if (IsNormalized(text, compatibility, compose))
        {
            return text;
        }

        var codePoints = Decompose(text, compatibility);
        Order(codePoints);
        if (compose)
        {
            Compose(codePoints);
        }

        var result = new StringBuilder(text.Length);
        Span<char> units = stackalloc char[2];
        foreach (int codePoint in codePoints)
        {
            result.Append(units[..new Rune(codePoint).EncodeToUtf16(units)]);
        }

        return result.ToString();
    }

    /// <summary>Whether text is normalized for certain; it may be so even if not.</summary>
    private static bool IsNormalized(string text, bool compatibility, bool compose)
    {
        int ascii = text.AsSpan().IndexOfAnyExceptInRange('\0', '\x7F');
        if (ascii < 0)
        {
            return true;
        }

        var data = NormalizationData.Instance;
        foreach (var rune in text.AsSpan(ascii).EnumerateRunes())
        {
            int codePoint = rune.Value;
            if (codePoint < 0xA0)
            {
                continue;
            }

            if (data.ClassOf(codePoint) != 0
                || (compatibility && data.HasCompatibilityDecomposition(codePoint))
                || (compose ? data.ComposesOrIsReplaced(codePoint) : data.Decomposition(codePoint, false) is not null || IsSyllable(codePoint)))
            {
                return false;
            }
        }

        return true;
    }

    private static List<int> Decompose(string text, bool compatibility)
    {
        var data = NormalizationData.Instance;
        var result = new List<int>(text.Length + 16);
        foreach (var rune in text.EnumerateRunes())
        {
            int codePoint = rune.Value;
            if (IsSyllable(codePoint))
            {
                int index = codePoint - SyllableBase;
                result.Add(LeadBase + index / (Vowels * Tails));
                result.Add(VowelBase + index % (Vowels * Tails) / Tails);
                if (index % Tails > 0)
                {
                    result.Add(TailBase + index % Tails);
                }
            }
            else if (data.Decomposition(codePoint, compatibility) is { } decomposition)
            {
                result.AddRange(decomposition);
            }
            else
            {
                result.Add(codePoint);
            }
        }

        return result;
    }

    /// <summary>Sorts each run of marks by class; marks of one class keep their order.</summary>
    private static void Order(List<int> codePoints)
    {
        var data = NormalizationData.Instance;
        for (int i = 0; i < codePoints.Count;)
        {
            if (data.ClassOf(codePoints[i]) == 0)
            {
                i++;
                continue;
            }

            int start = i;
            bool sorted = true;
            int before = 0;
            for (; i < codePoints.Count && data.ClassOf(codePoints[i]) is > 0 and var markClass; i++)
            {
                sorted &= markClass >= before;
                before = markClass;
            }

            if (!sorted)
            {
                int[] run = [.. codePoints.GetRange(start, i - start).OrderBy(data.ClassOf)];
                for (int k = 0; k < run.Length; k++)
                {
                    codePoints[start + k] = run[k];
                }
            }
        }
    }

    private static void Compose(List<int> codePoints)
    {
        var data = NormalizationData.Instance;
        int written = 0;
        int starter = -1;
        int classBefore = 0;
        for (int i = 0; i < codePoints.Count; i++)
        {
            int codePoint = codePoints[i];
            int markClass = data.ClassOf(codePoint);
            bool blocked = starter < 0 || (written - 1 > starter && classBefore >= markClass);
            if (!blocked && TryComposePair(codePoints[starter], codePoint, out int composed))
            {
                codePoints[starter] = composed;
                continue;
            }

            if (markClass == 0)
            {
                starter = written;
            }

            classBefore = markClass;
            codePoints[written++] = codePoint;
        }

        codePoints.RemoveRange(written, codePoints.Count - written);
    }

    private static bool TryComposePair(int first, int second, out int composed)
    {
        if (first - LeadBase is >= 0 and < Leads && second - VowelBase is >= 0 and < Vowels)
        {
            composed = SyllableBase + ((first - LeadBase) * Vowels + (second - VowelBase)) * Tails;
            return true;
        }

        if (IsSyllable(first) && (first - SyllableBase) % Tails == 0 && second - TailBase is > 0 and < Tails)
        {
            composed = first + (second - TailBase);
            return true;
        }

        return NormalizationData.Instance.TryCompose(first, second, out composed);
    }

    private static bool IsSyllable(int codePoint) => codePoint - SyllableBase is >= 0 and < Syllables;
}
