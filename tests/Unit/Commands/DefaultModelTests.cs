using LlmCluster.CommandLine.Hosting;
using LlmCluster.CommandLine.Up;
using LlmCluster.Inference.Models;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class DefaultModelTests
{
    [Fact]
    public void IsMadeOnceAndFoundAgain()
    {
        using var cache = new TempDirectory();
        string first = DefaultModel.MakeRandom(cache.Path, CancellationToken.None);
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(first, "config.json"));
        Assert.Equal(first, DefaultModel.MakeRandom(cache.Path, CancellationToken.None));
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(first, "config.json")));
        Assert.Equal([first], Directory.GetDirectories(cache.Path));
        Assert.Equal(ModelArchitecture.Llama, CheckpointSettings.Read(first).Config.Architecture);
    }

    [Fact]
    public async Task SeveralProcessesMayMakeItAtTheSameTime()
    {
        using var cache = new TempDirectory();
        string[] made = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(
            () => DefaultModel.MakeRandom(cache.Path, CancellationToken.None))));
        Assert.Single(made.Distinct());
        Assert.Equal([made[0]], Directory.GetDirectories(cache.Path));
        Assert.Equal(512, CheckpointSettings.Read(made[0]).Config.VocabSize);
    }

    [Fact]
    public void AnInterruptionLeavesNothing()
    {
        using var cache = new TempDirectory();
        Assert.ThrowsAny<OperationCanceledException>(() => DefaultModel.MakeRandom(cache.Path, new CancellationToken(canceled: true)));
        Assert.Empty(Directory.GetFileSystemEntries(cache.Path));
    }

    [Fact]
    public void APlaceThatCannotBeWrittenIsNamed()
    {
        using var directory = new TempDirectory();
        string file = directory.Write("file", "");
        var error = Assert.Throws<CommandException>(() => DefaultModel.MakeRandom(Path.Combine(file, "cache"), CancellationToken.None));
        Assert.Contains(file, error.Message);
        Assert.Contains("--model", error.Message);
    }
}
