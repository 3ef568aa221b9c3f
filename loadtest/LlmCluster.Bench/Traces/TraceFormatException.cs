namespace LlmCluster.Bench.Traces;

/// <summary>A trace can't be understood.</summary>
/// <param name="message">Names file, line and field, and what would be right.</param>
/// <param name="innerException">What led to it.</param>
public sealed class TraceFormatException(string message, Exception? innerException = null) : IOException(message, innerException);
