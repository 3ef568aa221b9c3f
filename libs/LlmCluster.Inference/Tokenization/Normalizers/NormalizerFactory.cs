using LlmCluster.Inference.Tokenization.Loading;

namespace LlmCluster.Inference.Tokenization.Normalizers;

/// <summary>Builds normalizers from <c>tokenizer.json</c>.</summary>
internal static class NormalizerFactory
{
    private const string Known =
        "Sequence, Prepend, Replace, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents and ByteLevel";

    /// <summary>Builds the normalizer of a file; none when there is nothing to do.</summary>
    public static INormalizer? Create(JsonCursor? json)
    {
        if (json is not { } cursor)
        {
            return null;
        }

        string type = cursor.Required("type").GetString();
        return type switch
        {
            "Sequence" => Sequence(cursor),
            "Prepend" => new PrependNormalizer(cursor.Required("prepend").GetString()),
            "Replace" => new ReplaceNormalizer(
                PatternFactory.Create(cursor.Required("pattern")), cursor.Required("content").GetString()),
            "NFC" => new UnicodeNormalizer(compatibility: false, compose: true),
            "NFD" => new UnicodeNormalizer(compatibility: false, compose: false),
            "NFKC" => new UnicodeNormalizer(compatibility: true, compose: true),
            "NFKD" => new UnicodeNormalizer(compatibility: true, compose: false),
            "Lowercase" => new LowercaseNormalizer(),
            "Strip" => new StripNormalizer(cursor.GetBoolean("strip_left", true), cursor.GetBoolean("strip_right", true)),
            "StripAccents" => new StripAccentsNormalizer(),
            "ByteLevel" => new ByteLevelNormalizer(),
            _ => throw cursor.UnknownType("normalizer", type, Known),
        };
    }

    private static INormalizer? Sequence(JsonCursor json)
    {
        INormalizer[] normalizers = [.. json.Required("normalizers").Items().Select(item => Create(item)).OfType<INormalizer>()];
        return normalizers.Length switch
        {
            0 => null,
            1 => normalizers[0],
            _ => new SequenceNormalizer(normalizers),
        };
    }
}
