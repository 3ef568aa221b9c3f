namespace LlmCluster.Inference.Models;

/// <summary>
/// Reads the settings of rotary embeddings from <c>config.json</c>: <c>rope_theta</c> and <c>rope_scaling</c>, or the
/// newer <c>rope_parameters</c> that holds both.
/// </summary>
internal static class RopeReader
{
    private const double DefaultTheta = 10_000;

    /// <summary>Reads base and scaling.</summary>
    /// <exception cref="CheckpointException">A key is mistyped, or the scaling is of a type that the engine does not have.</exception>
    public static (double Theta, Llama3RopeScaling? Scaling) Read(JsonSettings json)
    {
        if (json.FindNumber("partial_rotary_factor", 0) is { } top and not 1)
        {
            throw json.Unsupported("partial_rotary_factor", $"{top} is not supported; rotary embeddings must cover the whole head.");
        }

        if (json.FindObject("rope_parameters") is { } parameters)
        {
            if (parameters.FindNumber("partial_rotary_factor", 0) is { } nested and not 1)
            {
                throw parameters.Unsupported("partial_rotary_factor", $"{nested} is not supported; rotary embeddings must cover the whole head.");
            }

            double theta = parameters.FindNumber("rope_theta", 0, exclusive: true) ?? TopTheta(json);
            return (theta, ReadScaling(parameters));
        }

        return (TopTheta(json), json.FindObject("rope_scaling") is { } scaling ? ReadScaling(scaling) : null);
    }

    private static double TopTheta(JsonSettings json) => json.FindNumber("rope_theta", 0, exclusive: true) ?? DefaultTheta;

    private static Llama3RopeScaling? ReadScaling(JsonSettings json)
    {
        string type = json.FindText("rope_type") ?? json.FindText("type") ?? "default";
        if (type == "default")
        {
            return null;
        }

        if (type != "llama3")
        {
            throw json.Unsupported("rope_type", $"'{type}' is not supported; the engine has 'default' and 'llama3'.");
        }

        var scaling = new Llama3RopeScaling(
            json.Number("factor", 1),
            json.Number("low_freq_factor", 0, exclusive: true),
            json.Number("high_freq_factor", 0, exclusive: true),
            json.Int("original_max_position_embeddings"));
        return scaling.HighFrequencyFactor > scaling.LowFrequencyFactor
            ? scaling
            : throw json.Unsupported("high_freq_factor", $"{scaling.HighFrequencyFactor} must be greater than low_freq_factor, {scaling.LowFrequencyFactor}.");
    }
}
