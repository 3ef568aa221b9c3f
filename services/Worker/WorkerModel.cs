using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.Worker;

/// <summary>A model that is loaded and ready to run. Several workers in one process can share it.</summary>
public sealed class WorkerModel : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly Lazy<ITokenizer> _tokenizer;

    private WorkerModel(Checkpoint checkpoint, CpuModel cpu)
    {
        _checkpoint = checkpoint;
        Cpu = cpu;
        _tokenizer = new Lazy<ITokenizer>(() => Inference.Tokenization.Tokenizer.Load(_checkpoint.Directory));
    }

    /// <summary>The packed weights.</summary>
    public CpuModel Cpu { get; }

    /// <summary>The model's tokenizer, loaded on first use: prefill workers have no need of it.</summary>
    /// <exception cref="TokenizerFormatException">Its files can't be used.</exception>
    public ITokenizer Tokenizer => _tokenizer.Value;

    /// <summary>Loads a model.</summary>
    /// <param name="directory">Folder in Hugging Face layout.</param>
    /// <param name="options">Number formats and threads.</param>
    /// <exception cref="CheckpointException">The files can't be used.</exception>
    public static WorkerModel Load(string directory, CpuOptions options)
    {
        Checkpoint checkpoint = Checkpoint.Open(directory);
        try
        {
            return new WorkerModel(checkpoint, CpuModel.Load(checkpoint, options));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>Frees the weights. The workers that use it must have ended.</summary>
    public void Dispose()
    {
        Cpu.Dispose();
        _checkpoint.Dispose();
    }
}
