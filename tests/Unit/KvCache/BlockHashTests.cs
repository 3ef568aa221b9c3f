using System.Buffers.Binary;
using System.Security.Cryptography;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.KvCache;

public class BlockHashTests
{
    [Fact]
    public void A_hash_is_128_bits_of_sha256_over_parent_and_tokens()
    {
        BlockHash parent = BlockHash.Root("model", "adapter", "salt");
        int[] tokens = [1, -1, 128_000, int.MaxValue];
        byte[] input = new byte[16 + (4 * 4)];
        parent.Write(input);
        for (int i = 0; i < tokens.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(input.AsSpan(16 + (4 * i)), tokens[i]);
        }

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(input).AsSpan(0, 16)), parent.Next(tokens).ToString());
    }

    [Fact]
    public void Roots_differ_in_each_part_and_in_where_a_part_ends()
    {
        BlockHash[] roots =
        [
            BlockHash.Root("ab"), BlockHash.Root("a", "b"), BlockHash.Root("a", "", "b"), BlockHash.Root("a", "b", "c"),
            BlockHash.Root("a|1:b"), BlockHash.Root("a", "bc"), BlockHash.Root(""),
        ];
        Assert.Equal(roots.Length, roots.Distinct().Count());
    }

    [Fact]
    public void A_chain_covers_full_blocks_and_depends_on_all_before()
    {
        BlockHash root = BlockHash.Root("model");
        BlockHash[] chain = BlockHash.Chain(root, [1, 2, 3, 4, 5, 6, 7], 3);

        Assert.Equal(2, chain.Length);
        Assert.Equal(root.Next([1, 2, 3]).Next([4, 5, 6]), chain[1]);
        Assert.NotEqual(chain[1], BlockHash.Chain(root, [1, 2, 9, 4, 5, 6], 3)[1]);
        Assert.NotEqual(root.Next([1, 2]), root.Next([1, 2, 0]));
    }

    [Fact]
    public void Bytes_are_read_as_written()
    {
        BlockHash hash = BlockHash.Root("model").Next(new int[300]);
        Span<byte> bytes = stackalloc byte[BlockHash.Size];
        hash.Write(bytes);
        Assert.Equal(hash, BlockHash.Read(bytes));
        Assert.Equal(Convert.ToHexStringLower(bytes), hash.ToString());
    }
}
