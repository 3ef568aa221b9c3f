using LlmCluster.Inference.KvCache;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>
/// A request's prompts as block hashes, made once for each model fingerprint and block size that workers have. For one thread at a time.
/// </summary>
internal sealed class PromptHashes(IReadOnlyList<int[]> prompts, string cacheSalt)
{
    private readonly Dictionary<(string Fingerprint, int BlockSize), ulong[][]> _made = [];

    /// <summary>Prompts.</summary>
    public int Count => prompts.Count;

    /// <summary>The first 64 bits of the hashes of each prompt's reusable blocks: not of the one with its last token, which is computed anyway.</summary>
    public ulong[][] Get(string modelFingerprint, int blockSize)
    {
        if (!_made.TryGetValue((modelFingerprint, blockSize), out ulong[][]? hashes))
        {
            BlockHash root = BlockHash.Root(modelFingerprint, cacheSalt: cacheSalt);
            hashes = [.. prompts.Select(prompt => Make(root, prompt, blockSize))];
            _made.Add((modelFingerprint, blockSize), hashes);
        }

        return hashes;
    }

    private static ulong[] Make(BlockHash root, int[] prompt, int blockSize)
    {
        int reusable = (prompt.Length - 1) / blockSize * blockSize;
        return Array.ConvertAll(BlockHash.Chain(root, prompt.AsSpan(0, reusable), blockSize), static hash => hash.High);
    }
}
