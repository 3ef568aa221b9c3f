using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Models;

namespace LlmCluster.Inference.Cpu;

/// <summary>One decoder layer's weights, packed. Immutable.</summary>
internal sealed class LayerWeights : IDisposable
{
    /// <summary>Parts of <see cref="QueryKeyValue"/>.</summary>
    public const int Query = 0, Key = 1, Value = 2;

    /// <summary>Parts of <see cref="GateUp"/>.</summary>
    public const int Gate = 0, Up = 1;

    private LayerWeights(
        NativeBuffer inputNorm, PackedMatrix queryKeyValue, NativeBuffer? bias, NativeBuffer? queryNorm, NativeBuffer? keyNorm,
        PackedMatrix attentionOutput, NativeBuffer postAttentionNorm, PackedMatrix gateUp, PackedMatrix down)
    {
        InputNorm = inputNorm;
        QueryKeyValue = queryKeyValue;
        Bias = bias;
        QueryNorm = queryNorm;
        KeyNorm = keyNorm;
        AttentionOutput = attentionOutput;
        PostAttentionNorm = postAttentionNorm;
        GateUp = gateUp;
        Down = down;
    }

    public NativeBuffer InputNorm { get; }

    public PackedMatrix QueryKeyValue { get; }

    /// <summary>Biases of <see cref="QueryKeyValue"/>, as wide as it is.</summary>
    public NativeBuffer? Bias { get; }

    public NativeBuffer? QueryNorm { get; }

    public NativeBuffer? KeyNorm { get; }

    public PackedMatrix AttentionOutput { get; }

    public NativeBuffer PostAttentionNorm { get; }

    public PackedMatrix GateUp { get; }

    public PackedMatrix Down { get; }

    public long Bytes => QueryKeyValue.Bytes + AttentionOutput.Bytes + GateUp.Bytes + Down.Bytes;

    /// <summary>Packs layer <paramref name="layer"/>.</summary>
    public static LayerWeights Load(WeightLoader loader, int layer)
    {
        ModelConfig config = loader.Config;
        LayerTensors names = ModelTensors.Layer(layer);
        int queries = config.Heads * config.HeadDim;
        int keys = config.KvHeads * config.HeadDim;
        PackedMatrix queryKeyValue = loader.Matrix(
            config.HiddenSize, (names.Query, queries), (names.Key, keys), (names.Value, keys));
        return new LayerWeights(
            loader.Vector(names.InputNorm, config.HiddenSize),
            queryKeyValue,
            config.QkvBias ? loader.Vectors(queryKeyValue, (names.QueryBias, queries), (names.KeyBias, keys), (names.ValueBias, keys)) : null,
            config.QkNorm ? loader.Vector(names.QueryNorm, config.HeadDim) : null,
            config.QkNorm ? loader.Vector(names.KeyNorm, config.HeadDim) : null,
            loader.Matrix(queries, (names.AttentionOutput, config.HiddenSize)),
            loader.Vector(names.PostAttentionNorm, config.HiddenSize),
            loader.Matrix(config.HiddenSize, (names.Gate, config.IntermediateSize), (names.Up, config.IntermediateSize)),
            loader.Matrix(config.IntermediateSize, (names.Down, config.HiddenSize)));
    }

    public void Dispose()
    {
        InputNorm.Dispose();
        QueryKeyValue.Dispose();
        Bias?.Dispose();
        QueryNorm?.Dispose();
        KeyNorm?.Dispose();
        AttentionOutput.Dispose();
        PostAttentionNorm.Dispose();
        GateUp.Dispose();
        Down.Dispose();
    }
}
