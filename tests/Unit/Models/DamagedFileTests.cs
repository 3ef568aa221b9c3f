using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using Xunit;

namespace LlmCluster.Tests.Unit.Models;

/// <summary>Whatever bytes are damaged, a checkpoint opens or is refused; nothing else happens.</summary>
public sealed class DamagedFileTests
{
    private const int Trials = 500;

    [Theory]
    [InlineData("config.json", long.MaxValue)]
    [InlineData("model.safetensors", long.MaxValue)]
    [InlineData("model.safetensors.index.json", 1500)]
    public void RandomDamageIsHarmless(string name, long maxShardBytes)
    {
        using var files = new CheckpointFiles(options: new RandomCheckpointOptions { Dtype = TensorDtype.F32, MaxShardBytes = maxShardBytes });
        byte[] original = File.ReadAllBytes(files.File(name));
        int header = name == "model.safetensors" ? 8 + (int)BitConverter.ToUInt64(original) : original.Length;
        var random = new Random(3);
        int refused = 0;
        for (int trial = 0; trial < Trials; trial++)
        {
            byte[] damaged = (byte[])original.Clone();
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                // Digits and brackets keep the JSON valid more often than arbitrary bytes, and so reach the checks behind it.
                damaged[random.Next(header)] = random.Next(2) == 0 ? (byte)random.Next(256) : (byte)"0123456789-.,:[]{}\"\\ae"[random.Next(22)];
            }

            if (random.Next(8) == 0)
            {
                damaged = damaged[..random.Next(damaged.Length)];
            }

            File.WriteAllBytes(files.File(name), damaged);
            refused += Refuses(files) ? 1 : 0;
        }

        Assert.InRange(refused, Trials / 2, Trials);
    }

    private static bool Refuses(CheckpointFiles files)
    {
        try
        {
            using Checkpoint checkpoint = files.Open();
            foreach (TensorSpec spec in ModelTensors.All(checkpoint.Config))
            {
                TensorView view = checkpoint.GetTensor(spec.Name, spec.Shape);
                view.CopyTo(new float[view.ElementCount]);
            }

            return false;
        }
        catch (CheckpointException)
        {
            return true;
        }
    }
}
