using LlmCluster.Inference.Execution;

namespace LlmCluster.Tests.Unit.Reference;

/// <summary>
/// Runs prompts on an <see cref="IModelRunner"/> as an engine would: all of them in one batch, prefill in chunks, blocks
/// scattered over the pool, then greedy decode steps.
/// </summary>
internal sealed class RunnerDriver
{
    private const int Chunk = 29;

    private readonly IModelRunner _runner;
    private readonly int[][] _prompts;
    private readonly int[][] _blockTables;
    private readonly int _vocabulary;

    public RunnerDriver(IModelRunner runner, int[][] prompts, int newTokens)
    {
        _runner = runner;
        _prompts = prompts;
        _vocabulary = runner.Config.VocabSize;
        int[] pool = [.. Enumerable.Range(0, runner.KvStore.BlockCount)];
        new Random(11).Shuffle(pool);
        _blockTables = new int[prompts.Length][];
        int taken = 0;
        for (int i = 0; i < prompts.Length; i++)
        {
            int count = runner.KvStore.Layout.BlocksFor(prompts[i].Length + newTokens);
            _blockTables[i] = pool[taken..(taken + count)];
            taken += count;
        }
    }

    /// <summary>Blocks that the prompts need.</summary>
    public static int BlocksFor(int[][] prompts, int newTokens, int blockSize) =>
        prompts.Sum(prompt => (prompt.Length + newTokens + blockSize - 1) / blockSize);

    /// <summary>Logits of every prompt token: <c>[prompt][token]</c>, each as long as the vocabulary.</summary>
    public float[][][] Prefill()
    {
        float[][][] rows = [.. _prompts.Select(prompt => new float[prompt.Length][])];
        var batch = new ForwardBatch();
        for (int start = 0; start < _prompts.Max(prompt => prompt.Length); start += Chunk)
        {
            batch.Clear();
            var wanted = new List<(int Prompt, int Token)>();
            for (int i = 0; i < _prompts.Length; i++)
            {
                int length = Math.Min(Chunk, _prompts[i].Length - start);
                if (length > 0)
                {
                    batch.Add(_prompts[i].AsSpan(start, length), start, _blockTables[i], length);
                    wanted.AddRange(Enumerable.Range(start, length).Select(token => (i, token)));
                }
            }

            float[] logits = new float[batch.LogitRows * _vocabulary];
            _runner.Forward(batch, logits);
            for (int row = 0; row < wanted.Count; row++)
            {
                rows[wanted[row].Prompt][wanted[row].Token] = logits[(row * _vocabulary)..((row + 1) * _vocabulary)];
            }
        }

        return rows;
    }

    /// <summary>The likeliest tokens after each prompt, given the logits of its last token.</summary>
    public int[][] Decode(float[][][] prefill, int count)
    {
        int[][] tokens = [.. _prompts.Select(_ => new int[count])];
        float[][] last = [.. prefill.Select(rows => rows[^1])];
        var batch = new ForwardBatch();
        float[] logits = new float[_prompts.Length * _vocabulary];
        for (int step = 0; step < count; step++)
        {
            batch.Clear();
            for (int i = 0; i < _prompts.Length; i++)
            {
                tokens[i][step] = Array.IndexOf(last[i], last[i].Max());
                batch.Add([tokens[i][step]], _prompts[i].Length + step, _blockTables[i], logitRows: 1);
            }

            _runner.Forward(batch, logits);
            for (int i = 0; i < _prompts.Length; i++)
            {
                last[i] = logits[(i * _vocabulary)..((i + 1) * _vocabulary)];
            }
        }

        return tokens;
    }
}
