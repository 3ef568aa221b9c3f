using System.CommandLine;
using LlmCluster.CommandLine.Hosting;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class WorkerSettingsTests
{
    [Theory]
    [InlineData("--quantize", "q8")]
    [InlineData("--quantize", "q4")]
    [InlineData("--weights", "f32")]
    public void Both_options_set_the_format_of_weights(string option, string format)
    {
        (Command command, ServiceSettings settings) = CreateCommand();
        ParseResult result = command.Parse([option, format]);
        Assert.Empty(result.Errors);
        Assert.Equal(format, settings.Build(result)["Worker:Cpu:Weights"]);
    }

    [Fact]
    public void Only_one_of_them_may_be_given()
    {
        (Command command, _) = CreateCommand();
        Assert.Contains(
            "--quantize and --weights both say how weights are held; give one of them.",
            command.Parse(["--weights", "bf16", "--quantize", "q8"]).Errors.Select(error => error.Message));
    }

    [Theory]
    [InlineData("--kv-host-mib", "64", "Worker:Tiers:HostMemoryMiB")]
    [InlineData("--kv-disk", "/var/kv", "Worker:Tiers:DiskPath")]
    [InlineData("--kv-disk-mib", "128", "Worker:Tiers:DiskMiB")]
    public void Tiers_of_the_cache_are_set(string option, string value, string key)
    {
        (Command command, ServiceSettings settings) = CreateCommand();
        ParseResult result = command.Parse([option, value]);
        Assert.Empty(result.Errors);
        Assert.Equal(value, settings.Build(result)[key]);
    }

    [Fact]
    public void Negative_room_is_refused()
    {
        (Command command, _) = CreateCommand();
        Assert.Contains(
            "--kv-host-mib is -1; it must lie between 0 and 2147483647.",
            command.Parse(["--kv-host-mib", "-1"]).Errors.Select(error => error.Message));
    }

    private static (Command Command, ServiceSettings Settings) CreateCommand()
    {
        var settings = new ServiceSettings();
        WorkerSettings.AddMemory(settings);
        var command = new Command("test");
        settings.AddTo(command);
        return (command, settings);
    }
}
