namespace LlmCluster.Gateway.Admission;

/// <summary>How the gateway's queue is fair between tenants. Configuration section <c>Gateway:Admission</c>.</summary>
public sealed record AdmissionOptions
{
    internal const int MostQueued = 100_000;

    /// <summary>Service that a prompt token counts for.</summary>
    public double InputTokenWeight { get; init; } = 1;

    /// <summary>Service that an output token counts for: each takes a step of its own, where prompt tokens share one.</summary>
    public double OutputTokenWeight { get; init; } = 2;

    /// <summary>Checks the options.</summary>
    /// <exception cref="GatewayOptionsException">A key has a wrong value; the message names it.</exception>
    public void Validate()
    {
        Require(InputTokenWeight, nameof(InputTokenWeight));
        Require(OutputTokenWeight, nameof(OutputTokenWeight));
    }

    private static void Require(double value, string key)
    {
        if (value is not (>= 0 and <= 1000))
        {
            throw new GatewayOptionsException(FormattableString.Invariant(
                $"{GatewayOptions.Section}:{nameof(GatewayOptions.Admission)}:{key} is '{value}'; expected 0 to 1000."));
        }
    }
}
