using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.Bench;

/// <summary>A checkpoint with random weights in a temporary folder, which goes with it.</summary>
internal sealed class RandomModel : IDisposable
{
    private RandomModel(string directory) => Directory = directory;

    /// <summary>Where it lies.</summary>
    public string Directory { get; }

    /// <summary>Makes one. Weights in F32 are stored so, any others as BF16 and rounded when they are loaded.</summary>
    public static RandomModel Create(ModelArchitecture architecture, ModelPreset preset, WeightDtype weights, CancellationToken cancellationToken)
    {
        var model = new RandomModel(System.IO.Directory.CreateTempSubdirectory("llmc-bench-").FullName);
        try
        {
            TensorDtype dtype = weights == WeightDtype.F32 ? TensorDtype.F32 : TensorDtype.BF16;
            RandomCheckpoint.Write(architecture, preset, 0, model.Directory, new RandomCheckpointOptions { Dtype = dtype }, cancellationToken);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
