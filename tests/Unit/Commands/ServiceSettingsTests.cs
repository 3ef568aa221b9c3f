using System.CommandLine;
using LlmCluster.Cluster.Redis;
using LlmCluster.CommandLine.Hosting;
using LlmCluster.Testing;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class ServiceSettingsTests
{
    [Fact]
    public void CommandLineWinsOverVariablesOverFileOverFallback()
    {
        using var directory = new TempDirectory();
        string file = directory.Write("settings.json", """{"T": {"A": "file", "B": "file", "C": "file"}}""");
        string variable = $"{ServiceSettings.VariablePrefix}T__";
        try
        {
            Environment.SetEnvironmentVariable(variable + "B", "variable");
            Environment.SetEnvironmentVariable(variable + "C", "variable");
            IConfiguration configuration = Build(
                ["--c", "line", "--config", file], ("T:A", "fallback"), ("T:D", "fallback"));
            Assert.Equal("file", configuration["T:A"]);
            Assert.Equal("variable", configuration["T:B"]);
            Assert.Equal("line", configuration["T:C"]);
            Assert.Equal("fallback", configuration["T:D"]);
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable + "B", null);
            Environment.SetEnvironmentVariable(variable + "C", null);
        }
    }

    [Fact]
    public void AnySettingCanBeGiven()
    {
        IConfiguration configuration = Build(["--set", "T:X=1=2", "--set", "U:Y="]);
        Assert.Equal("1=2", configuration["T:X"]);
        Assert.Equal("", configuration["U:Y"]);
    }

    [Fact]
    public void ASettingWithoutAValueIsRefused()
    {
        (Command command, _) = CreateCommand();
        Assert.Contains("--set: 'T:X' is not of the form KEY=VALUE.", command.Parse(["--set", "T:X"]).Errors.Select(error => error.Message));
    }

    [Fact]
    public void ABrokenOrMissingFileIsNamed()
    {
        using var directory = new TempDirectory();
        string broken = directory.Write("broken.json", "{");
        Assert.Contains(broken, Assert.Throws<CommandException>(() => Build(["--config", broken])).Message);
        string missing = directory.Combine("missing.json");
        Assert.Contains(missing, Assert.Throws<CommandException>(() => Build(["--config", missing])).Message);
    }

    [Fact]
    public void ReadsTheOptionsOfRedis()
    {
        Assert.Null(ServiceSettings.Redis(Build([])));
        RedisOptions? options = ServiceSettings.Redis(Build(
            ["--redis", "cache:1", "--cluster", "blue", "--set", "Redis:Password=secret", "--set", "Redis:OperationTimeout=00:00:07"]));
        Assert.Equal(
            new RedisOptions { Url = "cache:1", KeyPrefix = "blue", Password = "secret", OperationTimeout = TimeSpan.FromSeconds(7) },
            options);
    }

    [Fact]
    public void AWrongOptionOfRedisIsNamed()
    {
        IConfiguration configuration = Build(["--redis", "cache:1", "--set", "Redis:OperationTimeout=soon"]);
        Assert.Contains("Redis:OperationTimeout", Assert.Throws<CommandException>(() => ServiceSettings.Redis(configuration)).Message);
    }

    private static (Command Command, ServiceSettings Settings) CreateCommand()
    {
        var settings = new ServiceSettings();
        settings.Add<string?>("--c", "T:C", "c", "C");
        settings.AddShared("warning");
        var command = new Command("test");
        settings.AddTo(command);
        return (command, settings);
    }

    private static IConfigurationRoot Build(string[] arguments, params (string Key, string Value)[] fallback)
    {
        (Command command, ServiceSettings settings) = CreateCommand();
        ParseResult result = command.Parse(arguments);
        Assert.Empty(result.Errors);
        return settings.Build(result, fallback);
    }
}
