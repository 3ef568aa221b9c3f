using System.CommandLine;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>What computes: one of the backends of this build.</summary>
internal static class DeviceChoice
{
    private const string Cpu = "cpu";

    public static Option<string> CreateOption()
    {
        var option = new Option<string>("--device")
        {
            Description = "What computes.",
            HelpName = "cpu|cuda",
            DefaultValueFactory = _ => Cpu,
        };
        option.AcceptOnlyFromAmong(Cpu, "cuda");
        return option;
    }

    /// <exception cref="CommandException">This build can't compute on it.</exception>
    public static void Require(string device)
    {
        if (device != Cpu)
        {
            throw new CommandException($"--device {device} is not available in this build; it computes on --device {Cpu}.");
        }
    }
}
