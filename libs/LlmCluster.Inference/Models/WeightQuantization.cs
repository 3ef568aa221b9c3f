namespace LlmCluster.Inference.Models;

/// <summary>
/// How a checkpoint stores matrices as integers of 8 or 4 bits, 32 of which share a scale; <c>quantization_config</c> in <c>config.json</c>.
/// A matrix <c>X.weight</c> of <c>[outputs, inputs]</c> is two tensors:
/// <list type="bullet">
/// <item><c>X.qweight</c>: for 8 bits I8 <c>[outputs, inputs]</c>, from -127 to 127; for 4 bits U8 <c>[outputs, ⌈inputs / 2⌉]</c>, where the
/// lower half of byte j is the integer of input 2j plus 8 and the upper half that of input 2j + 1 plus 8.</item>
/// <item><c>X.scales</c>: BF16 <c>[outputs, ⌈inputs / 32⌉]</c>. A weight is its integer times the scale of its group of 32 inputs.</item>
/// </list>
/// The embedding table, norms and biases are stored as numbers. A head that is tied to the embedding table is rounded when it is loaded.
/// </summary>
public sealed record WeightQuantization
{
    /// <summary>What <c>quant_method</c> says.</summary>
    public const string Method = "llmcluster";

    /// <summary>Inputs that share a scale: <c>group_size</c>.</summary>
    public const int GroupSize = 32;

    /// <summary>The format that is written and read: <c>version</c>.</summary>
    public const int Version = 1;

    private const string WeightSuffix = ".weight";

    /// <summary>Bits of an integer: 8 or 4.</summary>
    public required int Bits { get; init; }

    /// <summary>The tensor of a matrix's integers.</summary>
    /// <param name="matrix">Name that the matrix has where it is not quantised.</param>
    /// <param name="outputs">Its rows.</param>
    /// <param name="inputs">Its columns.</param>
    public TensorSpec Integers(string matrix, int outputs, int inputs) => Bits == 8
        ? new TensorSpec(Name(matrix, ".qweight"), TensorRole.Integers, outputs, inputs) { Dtype = TensorDtype.I8 }
        : new TensorSpec(Name(matrix, ".qweight"), TensorRole.Integers, outputs, NibblePairs.Count(inputs)) { Dtype = TensorDtype.U8 };

    /// <summary>The tensor of a matrix's scales.</summary>
    /// <param name="matrix">Name that the matrix has where it is not quantised.</param>
    /// <param name="outputs">Its rows.</param>
    /// <param name="inputs">Its columns.</param>
    public TensorSpec Scales(string matrix, int outputs, int inputs) =>
        new(Name(matrix, ".scales"), TensorRole.Scales, outputs, Groups(inputs)) { Dtype = TensorDtype.BF16 };

    /// <summary>Scales of so many inputs.</summary>
    internal static int Groups(int inputs) => (inputs + GroupSize - 1) / GroupSize;

    private static string Name(string matrix, string suffix) => matrix.EndsWith(WeightSuffix, StringComparison.Ordinal)
        ? matrix[..^WeightSuffix.Length] + suffix
        : throw new ArgumentException($"'{matrix}' is no matrix: its name does not end with '{WeightSuffix}'.", nameof(matrix));
}
