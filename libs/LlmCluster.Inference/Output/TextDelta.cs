using LlmCluster.Inference.Engine;

namespace LlmCluster.Inference.Output;

/// <summary>
/// A piece of an answer. The text may run behind the tokens: half a character, or text that may yet become a stop
/// string, comes with a later piece.
/// </summary>
/// <param name="Text">Text that is now certain; may be empty.</param>
/// <param name="Tokens">The tokens that were generated since the last piece.</param>
/// <param name="FinishReason">Set on the last piece.</param>
public sealed record TextDelta(string Text, IReadOnlyList<OutputToken> Tokens, FinishReason FinishReason);

/// <summary>A generated token.</summary>
/// <param name="Id">The token.</param>
/// <param name="TextOffset">UTF-16 length of the answer's text before this token, held-back text included.</param>
/// <param name="IsStop">Whether it is the stop token that ended the answer and so, by default, gives no text.</param>
/// <param name="Logprob">Natural logarithm of its probability, or null when none were asked for.</param>
/// <param name="Text">
/// The text it stands for by itself, U+FFFD for bytes that are no whole character; empty unless log probabilities
/// were asked for.
/// </param>
/// <param name="Bytes">Its bytes; empty unless log probabilities were asked for.</param>
/// <param name="Top">The likeliest tokens, likeliest first, or null when none were asked for.</param>
public sealed record OutputToken(
    int Id, int TextOffset, bool IsStop, float? Logprob, string Text, byte[] Bytes, IReadOnlyList<TopToken>? Top);

/// <summary>One of the likeliest tokens at a position.</summary>
/// <param name="Id">The token.</param>
/// <param name="Text">The text it stands for by itself, U+FFFD for bytes that are no whole character.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Logprob">Natural logarithm of its probability.</param>
public sealed record TopToken(int Id, string Text, byte[] Bytes, float Logprob);

/// <summary>A whole answer.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Tokens">Its tokens, a stop token included.</param>
/// <param name="FinishReason">Why it ended.</param>
public sealed record TextResult(string Text, IReadOnlyList<OutputToken> Tokens, FinishReason FinishReason);
