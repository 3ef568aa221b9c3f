namespace LlmCluster.Inference.Models;

/// <summary>Number formats in which weights are stored.</summary>
public enum TensorDtype
{
    /// <summary>IEEE single precision, four bytes.</summary>
    F32,

    /// <summary>IEEE half precision, two bytes.</summary>
    F16,

    /// <summary>bfloat16, two bytes: the upper half of a single.</summary>
    BF16,
}

/// <summary>Facts about number formats.</summary>
public static class TensorDtypes
{
    /// <summary>Bytes of one element.</summary>
    public static int ElementBytes(this TensorDtype dtype) => dtype == TensorDtype.F32 ? 4 : 2;
}
