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

    /// <summary>Signed integers of eight bits, one byte; only as part of a <see cref="WeightQuantization"/>.</summary>
    I8,

    /// <summary>Unsigned integers of eight bits, one byte; only as part of a <see cref="WeightQuantization"/>.</summary>
    U8,
}

/// <summary>Facts about number formats.</summary>
public static class TensorDtypes
{
    /// <summary>Bytes of one element.</summary>
    public static int ElementBytes(this TensorDtype dtype) => dtype switch
    {
        TensorDtype.F32 => 4,
        TensorDtype.I8 or TensorDtype.U8 => 1,
        _ => 2,
    };
}
