namespace LlmCluster.Inference.ChatTemplates;

/// <summary>A chat template is malformed, or rendering it failed. The message starts with the line.</summary>
public sealed class ChatTemplateException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="line">Line of the template, from 1 on.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="raisedByTemplate">Whether the template itself refused its input.</param>
    /// <param name="innerException">The cause, if it is another exception.</param>
    public ChatTemplateException(int line, string message, bool raisedByTemplate = false, Exception? innerException = null)
        : base($"chat template, line {line}: {message}", innerException)
    {
        Line = line;
        Reason = message;
        RaisedByTemplate = raisedByTemplate;
    }

    /// <summary>Line of the template, from 1 on.</summary>
    public int Line { get; }

    /// <summary>The message without the line.</summary>
    public string Reason { get; }

    /// <summary>
    /// Whether the template called <c>raise_exception</c>: the conversation is not one that the model takes, which is the
    /// caller's mistake and not the template's.
    /// </summary>
    public bool RaisedByTemplate { get; }
}
