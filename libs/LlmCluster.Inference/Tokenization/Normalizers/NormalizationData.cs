using System.Collections.Frozen;
using System.Globalization;

namespace LlmCluster.Inference.Tokenization.Normalizers;

/// <summary>The tables of <see cref="UnicodeNormalization"/>, read from an embedded file when first needed.</summary>
internal sealed class NormalizationData
{
    private const string ResourceName = "unicode-normalization.txt";

    private static readonly Lazy<NormalizationData> Loaded = new(() => new NormalizationData());

    private readonly FrozenDictionary<int, int[]> _canonical;
    private readonly FrozenDictionary<int, int[]> _compatibility;
    private readonly FrozenDictionary<int, int> _classes;
    private readonly FrozenDictionary<(int First, int Second), int> _pairs;
    private readonly FrozenSet<int> _unstable;

    private NormalizationData()
    {
        var canonical = new Dictionary<int, int[]>();
        var compatibility = new Dictionary<int, int[]>();
        var classes = new Dictionary<int, int>();
        var pairs = new Dictionary<(int, int), int>();
        using var stream = typeof(NormalizationData).Assembly.GetManifestResourceStream(ResourceName)
            ?? throw new InvalidOperationException($"The assembly lacks its resource {ResourceName}.");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            string[] fields = line.Split(' ');
            switch (fields[0])
            {
                case "D":
                    canonical.Add(Hex(fields[1]), [.. fields.Skip(2).Select(Hex)]);
                    break;
                case "K":
                    compatibility.Add(Hex(fields[1]), [.. fields.Skip(2).Select(Hex)]);
                    break;
                case "M":
                    AddClass(int.Parse(fields[1], CultureInfo.InvariantCulture), fields.Skip(2), classes);
                    break;
                case "P":
                    pairs.Add((Hex(fields[2]), Hex(fields[3])), Hex(fields[1]));
                    break;
            }
        }

        _canonical = canonical.ToFrozenDictionary();
        _compatibility = compatibility.ToFrozenDictionary();
        _classes = classes.ToFrozenDictionary();
        _pairs = pairs.ToFrozenDictionary();

        // What composing may change: characters that are not the composition of their own parts, and second parts of pairs.
        var composed = pairs.Values.ToHashSet();
        int[] jamo = [.. Enumerable.Range(0x1161, 21), .. Enumerable.Range(0x11A8, 27)];
        _unstable = canonical.Keys.Where(codePoint => !composed.Contains(codePoint))
            .Concat(pairs.Keys.Select(pair => pair.Item2))
            .Concat(jamo)
            .ToFrozenSet();
    }

    public static NormalizationData Instance => Loaded.Value;

    /// <summary>The canonical combining class.</summary>
    public int ClassOf(int codePoint) => codePoint < 0x300 ? 0 : _classes.GetValueOrDefault(codePoint);

    /// <summary>The full decomposition of a character, Hangul syllables excepted; none when it has none.</summary>
    public int[]? Decomposition(int codePoint, bool compatibility) =>
        compatibility && _compatibility.TryGetValue(codePoint, out int[]? decomposition) ? decomposition
        : _canonical.GetValueOrDefault(codePoint);

    /// <summary>Whether the compatibility decomposition is another one than the canonical.</summary>
    public bool HasCompatibilityDecomposition(int codePoint) => _compatibility.ContainsKey(codePoint);

    /// <summary>Whether a text with this character may not be in NFC.</summary>
    public bool ComposesOrIsReplaced(int codePoint) => codePoint >= 0x300 && _unstable.Contains(codePoint);

    /// <summary>The character that a pair composes to.</summary>
    public bool TryCompose(int first, int second, out int composed) => _pairs.TryGetValue((first, second), out composed);

    private static void AddClass(int markClass, IEnumerable<string> ranges, Dictionary<int, int> classes)
    {
        foreach (string range in ranges)
        {
            string[] ends = range.Split('-');
            for (int codePoint = Hex(ends[0]); codePoint <= Hex(ends[^1]); codePoint++)
            {
                classes.Add(codePoint, markClass);
            }
        }
    }

    private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
