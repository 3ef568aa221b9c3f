using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>Refuses a batch that would read or write outside the model or the pool, before anything is written.</summary>
internal static class BatchValidation
{
    public static void Check(ForwardBatch batch, int logits, ModelConfig config, KvLayout layout, int blockCount)
    {
        if (batch.SequenceCount == 0)
        {
            throw new ArgumentException("The batch holds no sequence.", nameof(batch));
        }

        long wanted = (long)batch.LogitRows * config.VocabSize;
        if (logits < wanted)
        {
            throw new ArgumentException(
                $"There is room for {logits} logits, but {batch.LogitRows} rows of {config.VocabSize} were asked for: {wanted}.", nameof(logits));
        }

        for (int i = 0; i < batch.SequenceCount; i++)
        {
            CheckSequence(i, batch[i], config, layout, blockCount);
        }
    }

    private static void CheckSequence(int index, ForwardSequence sequence, ModelConfig config, KvLayout layout, int blockCount)
    {
        long end = (long)sequence.StartPosition + sequence.Tokens.Length;
        if (end > config.MaxPositions)
        {
            throw new ArgumentException(
                $"Sequence {index} of the batch reaches position {end - 1}; the model's last is {config.MaxPositions - 1}.", "batch");
        }

        for (int i = 0; i < sequence.Tokens.Length; i++)
        {
            if ((uint)sequence.Tokens[i] >= (uint)config.VocabSize)
            {
                throw new ArgumentException(
                    $"Token {i} of sequence {index} of the batch is {sequence.Tokens[i]}; ids lie between 0 and {config.VocabSize - 1}.", "batch");
            }
        }

        int blocks = layout.BlocksFor((int)end);
        if (sequence.BlockTable.Length < blocks)
        {
            throw new ArgumentException(
                $"The block table of sequence {index} of the batch has {sequence.BlockTable.Length} blocks; {end} positions take {blocks} of {layout.BlockSize}.", "batch");
        }

        for (int i = 0; i < blocks; i++)
        {
            if ((uint)sequence.BlockTable[i] >= (uint)blockCount)
            {
                throw new ArgumentException(
                    $"Entry {i} of the block table of sequence {index} of the batch is {sequence.BlockTable[i]}; the pool's blocks are 0 to {blockCount - 1}.", "batch");
            }
        }
    }
}
