namespace LlmCluster.Evaluation;

/// <summary>A model can't be evaluated: the held-out file is missing or malformed, or doesn't fit the model.</summary>
/// <param name="message">Names the file and, where there is one, the line.</param>
/// <param name="innerException">What led to it.</param>
public sealed class EvaluationException(string message, Exception? innerException = null) : Exception(message, innerException);
