namespace LlmCluster.CommandLine.Hosting;

/// <summary>What computes: one of the backends of this build.</summary>
internal static class DeviceChoice
{
    /// <exception cref="CommandException">This build can't compute on it.</exception>
    public static void Require(string device)
    {
        if (device != "cpu")
        {
            throw new CommandException($"--device {device} is not available in this build; it computes on --device cpu.");
        }
    }
}
