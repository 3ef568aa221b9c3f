namespace LlmCluster.Inference.ChatTemplates;

/// <summary>How much work one rendering may do. Templates come with models; a bad one must not stop a server.</summary>
public sealed record ChatTemplateLimits
{
    /// <summary>Limits that no real template comes near.</summary>
    public static ChatTemplateLimits Default { get; } = new();

    /// <summary>Most statements and expressions that are evaluated, loops counted by iteration.</summary>
    public long MaxSteps { get; init; } = 20_000_000;

    /// <summary>Most characters and list elements that are made on the way, output included.</summary>
    public long MaxProduced { get; init; } = 512_000_000;
}
