namespace LlmCluster.Inference.Tokenization;

/// <summary>
/// A tokenizer file is missing, is no JSON, or holds something that this library can't run. The message names the
/// file and the JSON path.
/// </summary>
public sealed class TokenizerFormatException(string message, Exception? innerException = null) : Exception(message, innerException);
