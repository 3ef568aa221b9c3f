namespace LlmCluster.Inference.Models.Synthetic;

/// <summary>How <see cref="RandomCheckpoint"/> writes.</summary>
public sealed record RandomCheckpointOptions
{
    /// <summary>Number format of all tensors.</summary>
    public TensorDtype Dtype { get; init; } = TensorDtype.BF16;

    /// <summary>Whether the output head is the embedding table; null: as the preset has it.</summary>
    public bool? TieWordEmbeddings { get; init; }

    /// <summary>Most bytes of tensors in one file; beyond it the weights are sharded. A larger tensor gets a shard of its own.</summary>
    public long MaxShardBytes { get; init; } = long.MaxValue;

    /// <summary>Whether to write into a directory that is not empty; files of the checkpoint there are replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Told the number of bytes of tensors written so far.</summary>
    public IProgress<long>? Progress { get; init; }
}
