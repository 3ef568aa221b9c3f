namespace LlmCluster.Inference.Models;

/// <summary>
/// A checkpoint can't be used: a file is missing, damaged, or asks for what the engine does not have. The message
/// names the file, the tensor or key, and what would have been right.
/// </summary>
public sealed class CheckpointException : Exception
{
    /// <summary>A problem with a file as a whole or with one of its keys.</summary>
    /// <param name="file">Path of the file.</param>
    /// <param name="problem">What is wrong and what would be right.</param>
    /// <param name="innerException">What caused it.</param>
    public CheckpointException(string file, string problem, Exception? innerException = null)
        : base($"{file}: {problem}", innerException)
    {
        File = file;
    }

    /// <summary>A problem with one tensor.</summary>
    /// <param name="file">Path of the file.</param>
    /// <param name="tensor">Name of the tensor.</param>
    /// <param name="problem">What is wrong and what would be right.</param>
    public CheckpointException(string file, string tensor, string problem)
        : base($"{file}: tensor '{tensor}': {problem}")
    {
        File = file;
        Tensor = tensor;
    }

    /// <summary>Path of the file that is at fault.</summary>
    public string File { get; }

    /// <summary>Name of the tensor that is at fault, or null.</summary>
    public string? Tensor { get; }
}
