using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Testing.KvTransfer;

/// <summary>K/V bytes that depend on exactly what real ones depend on: the layer and all tokens up to the block's end.</summary>
public static class KvContent
{
    /// <summary>Identity of the model that "computes" them.</summary>
    public const string Fingerprint = "test-model";

    /// <summary>A small layout: three layers, four tokens to a block, 64 bytes a (layer, block).</summary>
    public static readonly KvLayout Layout = new(Layers: 3, KvHeads: 1, HeadDim: 4, KvDtype.BF16, BlockSize: 4);

    /// <summary>A model of that layout.</summary>
    public static readonly ModelConfig Model = new()
    {
        Architecture = ModelArchitecture.Llama,
        VocabSize = 1000,
        HiddenSize = 4,
        IntermediateSize = 4,
        Layers = Layout.Layers,
        Heads = 1,
        KvHeads = Layout.KvHeads,
        HeadDim = Layout.HeadDim,
        MaxPositions = 4096,
        RmsNormEps = 1e-5f,
        RopeTheta = 10_000,
        TieWordEmbeddings = true,
    };

    /// <summary>Hashes of the full blocks of a prompt.</summary>
    public static BlockHash[] Hashes(KvLayout layout, int[] prompt, string salt = "") =>
        BlockHash.Chain(BlockHash.Root(Fingerprint, "", salt), prompt, layout.BlockSize);

    /// <summary>The bytes of one (layer, block) of a prompt.</summary>
    public static byte[] Expected(KvLayout layout, int[] prompt, int layer, int block)
    {
        var hash = new HashCode();
        hash.Add(layer);
        int end = Math.Min(prompt.Length, (block + 1) * layout.BlockSize);
        foreach (int token in prompt.AsSpan(0, end))
        {
            hash.Add(token);
        }

        var bytes = new byte[layout.LayerBlockBytes];
        new Random(hash.ToHashCode()).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Writes one (layer, block) of a prompt to a pool.</summary>
    public static void Write(IKvBlockStore store, int[] prompt, int layer, int block, int poolBlock) =>
        store.Write(layer, poolBlock, 0, Expected(store.Layout, prompt, layer, block));

    /// <summary>The first (layer, block) whose bytes in a pool are not those of the prompt, or null.</summary>
    public static string? FindDifference(IKvBlockStore store, int[] prompt, ReadOnlySpan<int> poolBlocks)
    {
        var bytes = new byte[store.Layout.LayerBlockBytes];
        for (int block = 0; block < poolBlocks.Length; block++)
        {
            for (int layer = 0; layer < store.Layout.Layers; layer++)
            {
                store.Read(layer, poolBlocks[block], 0, bytes);
                if (!bytes.AsSpan().SequenceEqual(Expected(store.Layout, prompt, layer, block)))
                {
                    return $"layer {layer} of block {block} (pool block {poolBlocks[block]})";
                }
            }
        }

        return null;
    }
}
