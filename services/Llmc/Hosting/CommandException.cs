namespace LlmCluster.CommandLine.Hosting;

/// <summary>A command can't go on, for a reason that its user can understand and change.</summary>
/// <param name="message">One line: what is wrong, and which option would make it right.</param>
/// <param name="innerException">What led to it.</param>
internal sealed class CommandException(string message, Exception? innerException = null) : Exception(message, innerException);
