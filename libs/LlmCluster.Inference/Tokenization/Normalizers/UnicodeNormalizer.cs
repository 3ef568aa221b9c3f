namespace LlmCluster.Inference.Tokenization.Normalizers;

/// <summary>Unicode normalization forms.</summary>
/// <param name="compatibility">Whether compatibility characters are decomposed, too (NFKC, NFKD).</param>
/// <param name="compose">Whether characters are composed again (NFC, NFKC).</param>
internal sealed class UnicodeNormalizer(bool compatibility, bool compose) : INormalizer
{
    public string Normalize(string text) => UnicodeNormalization.Normalize(text, compatibility, compose);
}
