namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>What a request asks for, as far as it tells how long answers get.</summary>
public enum RequestKind
{
    /// <summary>Not known.</summary>
    Unknown,

    /// <summary>The continuation of a text.</summary>
    Completion,

    /// <summary>The next message of a conversation.</summary>
    Chat,

    /// <summary>The next message of a conversation in which tools may be called.</summary>
    Tools,
}
