namespace LlmCluster.Inference.Tokenization.Normalizers;

/// <summary>Rewrites text before it is cut into pieces.</summary>
internal interface INormalizer
{
    /// <summary>The text as rewritten; the same instance when nothing changes.</summary>
    string Normalize(string text);
}
