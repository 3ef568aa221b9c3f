using System.Globalization;
using System.Text;

namespace LlmCluster.Gateway.Placement;

/// <summary>Says why a way was taken: its predicted times, and the next best.</summary>
internal static class CostReason
{
    /// <param name="way">The way.</param>
    /// <param name="next">The best that computes on another worker; null when there is none.</param>
    public static string Of(in Way way, in Way? next)
    {
        var text = new StringBuilder("cost: ");
        WayCost cost = way.Cost;
        ComputeCost compute = way.Compute;
        CultureInfo culture = CultureInfo.InvariantCulture;
        text.Append(culture, $"{Name(way)}, first token in {Time(cost.Ttft)} (queue {Time(cost.Queue)}");
        if (compute.Source is { } source)
        {
            text.Append(culture, $", fetch of {compute.Fetched} tokens from {source.Info.Id} {Time(cost.Fetch)}");
        }

        text.Append(culture, $", prefill {Time(cost.Compute)} with {compute.Reused} tokens reused, ");
        if (way.IsPair)
        {
            text.Append(culture, $"transfer {Time(cost.Handover)}, ");
        }

        text.Append(culture, $"step {Time(cost.Step)}), then {Time(cost.Tpot)} a token");
        text.Append(cost.Rank switch { 2 => ", though memory may not suffice", 1 => ", though that is over the target", _ => "" });
        if (next is { } other)
        {
            double more = other.Cost.Total - cost.Total;
            text.Append(culture, $"; next {Name(other)}, first token in {Time(other.Cost.Ttft)}, cost {(more < 0 ? "-" : "+")}{Time(Math.Abs(more))}");
        }

        return text.ToString();
    }

    private static string Name(in Way way) =>
        way.IsPair ? $"prefill on {way.Compute.Worker.Info.Id}, decode on {way.Decode.Worker.Info.Id}" : $"all on {way.Decode.Worker.Info.Id}";

    private static string Time(double seconds) => seconds < 1
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0.#} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds:0.##} s");
}
