namespace LlmCluster.Gateway.Access;

/// <summary>A class of requests by its name.</summary>
/// <param name="Name">The name.</param>
/// <param name="Options">What it is promised.</param>
internal sealed record ServiceClass(string Name, ClassOptions Options)
{
    /// <summary>Class of requests without a key, and of keys that name none; always there.</summary>
    public const string Default = "default";
}
