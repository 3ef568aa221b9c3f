using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.KvCache;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed unsafe class AttentionTests
{
    public static TheoryData<CpuIsa, KvDtype> Paths
    {
        get
        {
            var data = new TheoryData<CpuIsa, KvDtype>();
            foreach (CpuIsa isa in Isas.Available)
            {
                foreach (KvDtype dtype in Enum.GetValues<KvDtype>())
                {
                    data.Add(isa, dtype);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Agrees_with_a_plain_softmax_for_any_shape(CpuIsa isa, KvDtype dtype)
    {
        var random = new Random(21);
        for (int round = 0; round < 40; round++)
        {
            int kvHeads = random.Next(1, 4);
            int group = random.Next(1, 8);
            int headDim = 2 * random.Next(1, 70);
            int blockSize = random.Next(1, 40);
            int position = random.Next(0, 200);
            int tokens = random.Next(1, AttentionShape.TaskTokensFor(group) + 1);
            int window = random.Next(2) == 0 ? 10_000 : random.Next(1, 100);
            using var cache = new Cache(random, isa, dtype, kvHeads, group, headDim, blockSize, position + tokens, window);

            float[] actual = cache.Run(position, tokens);

            for (int token = 0; token < tokens; token++)
            {
                for (int head = 0; head < kvHeads * group; head++)
                {
                    double[] expected = cache.Expected(position + token, head);
                    for (int i = 0; i < headDim; i++)
                    {
                        double value = actual[(token * cache.RowWidth) + (head * headDim) + i];
                        Assert.True(Math.Abs(expected[i] - value) <= 2e-5, $"Token {token}, head {head}: {value} instead of {expected[i]}.");
                    }
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void A_token_has_the_same_bits_alone_and_among_others(CpuIsa isa, KvDtype dtype)
    {
        var random = new Random(22);
        foreach ((int window, int headDim) in ((int, int)[])[(10_000, 40), (37, 40), (10_000, 64), (37, 32)])
        {
            using var cache = new Cache(random, isa, dtype, kvHeads: 2, group: 3, headDim, blockSize: 16, positions: 150, window);
            float[] alone = [.. Enumerable.Range(0, 150).SelectMany(position => cache.Run(position, 1))];
            for (int first = 0; first < 118; first += random.Next(1, 20))
            {
                int tokens = random.Next(1, 33);
                float[] together = cache.Run(first, tokens);
                Assert.True(
                    System.Runtime.InteropServices.MemoryMarshal.AsBytes(together.AsSpan()).SequenceEqual(
                        System.Runtime.InteropServices.MemoryMarshal.AsBytes(alone.AsSpan(first * cache.RowWidth, together.Length))),
                    $"{tokens} tokens from {first} on: bits differ.");
            }
        }
    }

    private sealed class Cache : IDisposable
    {
        private readonly CpuKernels _kernels;
        private readonly NativeBuffer _pool;
        private readonly NativeBuffer _scratch;
        private readonly float[] _queries;
        private readonly float[] _keys;
        private readonly float[] _values;
        private readonly int[] _blocks;
        private readonly int _window;
        private AttentionShape _shape;

        public Cache(
            Random random, CpuIsa isa, KvDtype dtype, int kvHeads, int group, int headDim, int blockSize, int positions, int window)
        {
            _kernels = CpuKernels.For(isa);
            _window = window;
            var layout = new KvLayout(1, kvHeads, headDim, dtype, blockSize);
            int blockCount = layout.BlocksFor(positions) + 2;
            _pool = new NativeBuffer(layout.BlockBytes * blockCount);
            new Span<byte>(_pool.Pointer, (int)_pool.Bytes).Fill(0xFF);
            _blocks = [.. Enumerable.Range(0, blockCount)];
            random.Shuffle(_blocks);
            RowWidth = kvHeads * group * headDim;
            _queries = Numbers(random, positions * RowWidth, KvDtype.F32);
            _keys = Numbers(random, positions * kvHeads * headDim, dtype);
            _values = Numbers(random, positions * kvHeads * headDim, dtype);
            _shape = new AttentionShape
            {
                HeadDim = headDim,
                KvHeads = kvHeads,
                Group = group,
                Window = window,
                BlockSize = blockSize,
                Dtype = dtype,
                Pool = _pool.Pointer,
                BlockBytes = layout.LayerBlockBytes,
                QueryStride = RowWidth,
                ResultStride = RowWidth,
            };
            for (int position = 0; position < positions; position++)
            {
                Put(layout, position);
            }

            _scratch = new NativeBuffer(_kernels.AttentionScratchBytes(headDim, group));
        }

        public int RowWidth { get; }

        public float[] Run(int position, int tokens)
        {
            var result = new float[tokens * RowWidth];
            fixed (float* queries = _queries, to = result)
            fixed (int* blocks = _blocks)
            {
                for (int head = 0; head < _shape.KvHeads; head++)
                {
                    var task = new AttentionTask
                    {
                        Query = queries + (position * RowWidth),
                        Result = to,
                        Tokens = tokens,
                        Position = position,
                        BlockTable = blocks,
                        KvHead = head,
                    };
                    _kernels.Attention(_shape, task, _scratch.Pointer);
                }
            }

            return result;
        }

        public double[] Expected(int position, int head)
        {
            int dim = _shape.HeadDim;
            int first = Math.Max(0, position - _window + 1);
            int kvHead = head / _shape.Group;
            double[] weights = [.. Enumerable.Range(first, position + 1 - first).Select(p => Math.Exp(
                Enumerable.Range(0, dim).Sum(i => (double)_queries[(position * RowWidth) + (head * dim) + i] * _keys[(((p * _shape.KvHeads) + kvHead) * dim) + i])))];
            double sum = weights.Sum();
            return [.. Enumerable.Range(0, dim).Select(i =>
                weights.Select((w, j) => w / sum * _values[((((first + j) * _shape.KvHeads) + kvHead) * dim) + i]).Sum())];
        }

        public void Dispose()
        {
            _pool.Dispose();
            _scratch.Dispose();
        }

        // What is expected is computed from what the cache holds.
        private void Put(KvLayout layout, int position)
        {
            byte* head = _pool.Pointer + (_blocks[position / layout.BlockSize] * layout.BlockBytes);
            int slot = position % layout.BlockSize;
            for (int i = 0; i < layout.KvHeads; i++)
            {
                int at = ((position * layout.KvHeads) + i) * layout.HeadDim;
                fixed (float* key = &_keys[at], value = &_values[at])
                {
                    HeadBlock.WriteKey(layout, head, slot, key);
                    HeadBlock.WriteValue(layout, head + layout.HeadBlockBytes, slot, value);
                    if (layout.Dtype == KvDtype.Int8)
                    {
                        HeadBlockReader.Key(layout, head, slot).CopyTo(new Span<float>(key, layout.HeadDim));
                        HeadBlockReader.Value(layout, head + layout.HeadBlockBytes, slot).CopyTo(new Span<float>(value, layout.HeadDim));
                    }
                }

                head += 2 * layout.HeadBlockBytes;
            }
        }

        private static float[] Numbers(Random random, int count, KvDtype dtype) =>
            [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() * 2) - 1))
                .Select(v => dtype == KvDtype.BF16 ? Bfloat16.ToSingle(Bfloat16.FromSingle(v)) : v)];
    }
}
