using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Models;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>The models written down plainly in double precision: one sequence, no cache, no vectors.</summary>
internal sealed class NaiveModel(Checkpoint checkpoint)
{
    private readonly ModelConfig _config = checkpoint.Config;

    /// <summary>Logits of every position.</summary>
    public double[][] Logits(int[] tokens)
    {
        float[] embedding = Read(ModelTensors.Embedding);
        int hidden = _config.HiddenSize;
        double[][] x = [.. tokens.Select(t => embedding.AsSpan(t * hidden, hidden).ToArray().Select(v => (double)v).ToArray())];
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            LayerTensors names = ModelTensors.Layer(layer);
            double[][] normed = [.. x.Select(row => Norm(row, Read(names.InputNorm)))];
            double[][] attended = Attend(normed, names);
            Add(x, Project(attended, names.AttentionOutput, null));
            normed = [.. x.Select(row => Norm(row, Read(names.PostAttentionNorm)))];
            double[][] gate = Project(normed, names.Gate, null);
            double[][] up = Project(normed, names.Up, null);
            double[][] inner = [.. gate.Zip(up, (g, u) => g.Zip(u, (a, b) => a / (1 + Math.Exp(-a)) * b).ToArray())];
            Add(x, Project(inner, names.Down, null));
        }

        return Project([.. x.Select(row => Norm(row, Read(ModelTensors.FinalNorm)))], ModelTensors.OutputHead(_config), null);
    }

    private double[][] Attend(double[][] rows, LayerTensors names)
    {
        double[][] q = Project(rows, names.Query, _config.QkvBias ? names.QueryBias : null);
        double[][] k = Project(rows, names.Key, _config.QkvBias ? names.KeyBias : null);
        double[][] v = Project(rows, names.Value, _config.QkvBias ? names.ValueBias : null);
        int dim = _config.HeadDim;
        for (int p = 0; p < rows.Length; p++)
        {
            Turn(q[p], p, _config.QkNorm ? Read(names.QueryNorm) : null);
            Turn(k[p], p, _config.QkNorm ? Read(names.KeyNorm) : null);
        }

        var result = new double[rows.Length][];
        for (int p = 0; p < rows.Length; p++)
        {
            result[p] = new double[_config.Heads * dim];
            int first = Math.Max(0, p + 1 - (_config.SlidingWindow ?? int.MaxValue - 1));
            for (int head = 0; head < _config.Heads; head++)
            {
                int kvHead = head / (_config.Heads / _config.KvHeads);
                double[] scores = [.. Enumerable.Range(first, p + 1 - first).Select(j =>
                    Dot(q[p].AsSpan(head * dim, dim), k[j].AsSpan(kvHead * dim, dim)) / Math.Sqrt(dim))];
                double most = scores.Max();
                double[] weights = [.. scores.Select(s => Math.Exp(s - most))];
                double sum = weights.Sum();
                for (int j = first; j <= p; j++)
                {
                    for (int i = 0; i < dim; i++)
                    {
                        result[p][(head * dim) + i] += weights[j - first] / sum * v[j][(kvHead * dim) + i];
                    }
                }
            }
        }

        return result;
    }

    private void Turn(double[] heads, int position, float[]? norm)
    {
        int dim = _config.HeadDim;
        double[] frequencies = RotaryTable.Frequencies(_config);
        for (int start = 0; start < heads.Length; start += dim)
        {
            if (norm is not null)
            {
                Norm(heads[start..(start + dim)], norm).CopyTo(heads, start);
            }

            for (int i = 0; i < dim / 2; i++)
            {
                (double sine, double cosine) = Math.SinCos(position * frequencies[i]);
                double a = heads[start + i];
                double b = heads[start + i + (dim / 2)];
                heads[start + i] = (a * cosine) - (b * sine);
                heads[start + i + (dim / 2)] = (b * cosine) + (a * sine);
            }
        }
    }

    private double[][] Project(double[][] rows, string name, string? biasName)
    {
        TensorView weights = checkpoint.GetTensor(name);
        float[] bias = biasName is null ? new float[weights.Rows] : Read(biasName);
        double[] values = [.. Read(name).Select(v => (double)v)];
        int inputs = weights.RowLength;
        return [.. rows.Select(row =>
        {
            var result = new double[bias.Length];
            for (int i = 0; i < result.Length; i++)
            {
                result[i] = bias[i] + Dot(values.AsSpan(i * inputs, inputs), row);
            }

            return result;
        })];
    }

    private double[] Norm(double[] row, float[] weight)
    {
        double scale = 1 / Math.Sqrt((row.Sum(v => v * v) / row.Length) + _config.RmsNormEps);
        return [.. row.Zip(weight, (v, w) => v * scale * w)];
    }

    private float[] Read(string name)
    {
        TensorView tensor = checkpoint.GetTensor(name);
        var values = new float[tensor.ElementCount];
        tensor.CopyTo(values);
        return values;
    }

    private static void Add(double[][] x, double[][] y)
    {
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = [.. x[i].Zip(y[i], (a, b) => a + b)];
        }
    }

    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }
}
