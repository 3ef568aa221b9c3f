namespace LlmCluster.Evaluation.Checks;

/// <summary>Decides whether an answer is right.</summary>
internal interface ICheck
{
    /// <summary>What would be right, for people to read.</summary>
    string Expected { get; }

    /// <summary>Judges an answer.</summary>
    Verdict Judge(Answer answer);
}

/// <summary>What a model answered.</summary>
/// <param name="Text">The text, without special tokens.</param>
/// <param name="EndedItself">Whether the model ended it, rather than a limit on its length.</param>
internal readonly record struct Answer(string Text, bool EndedItself);

/// <summary>What a check found.</summary>
/// <param name="Right">Whether the answer is right.</param>
/// <param name="Parses">Whether it is a JSON object at all; null where none was asked for.</param>
internal readonly record struct Verdict(bool Right, bool? Parses = null);
