using LlmCluster.CommandLine.Hosting;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;

namespace LlmCluster.CommandLine.Up;

/// <summary>
/// The model that <c>llmc up</c> serves when it is told none: the demo model where there is one, otherwise a tiny model
/// with random weights, made once and kept in the user's cache.
/// </summary>
internal static class DefaultModel
{
    private const string DemoFolder = "models/demo";
    private const string DemoName = "pebble";
    private const string Name = "tiny-llama";
    private static readonly TimeSpan KeepFor = TimeSpan.FromDays(7);

    /// <summary>Finds the model, or makes it.</summary>
    /// <returns>Its folder and the name to serve it by.</returns>
    public static (string Directory, string Name) Resolve(CancellationToken cancellationToken) =>
        FindDemo() is { } demo ? (demo, DemoName) : (MakeRandom(CacheFolder(), cancellationToken), Name);

    /// <summary>Makes the random model below a folder, unless it is there; other processes may do so at the same time.</summary>
    internal static string MakeRandom(string folder, CancellationToken cancellationToken)
    {
        // Another build may make other files: it gets a folder of its own.
        string build = typeof(RandomCheckpoint).Module.ModuleVersionId.ToString("N")[..12];
        string target = Path.Combine(folder, $"{Name}-{build}");
        if (Directory.Exists(target))
        {
            return target;
        }

        try
        {
            Directory.CreateDirectory(folder);
            string made = Path.Combine(folder, $".{Name}-{Guid.NewGuid():N}");
            try
            {
                RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, 0, made, cancellationToken: cancellationToken);
                Move(made, target);
            }
            finally
            {
                if (Directory.Exists(made))
                {
                    Directory.Delete(made, recursive: true);
                }
            }

            RemoveOld(folder, target);
            return target;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException($"no model for a start could be made in '{folder}': {exception.Message} Name one with --model.", exception);
        }
    }

    private static string? FindDemo()
    {
        IEnumerable<string?> roots =
        [
            Environment.GetEnvironmentVariable("LLMC_ROOT"),
            AppContext.BaseDirectory,
        ];
        return roots.OfType<string>()
            .Select(root => Path.GetFullPath(Path.Combine(root, DemoFolder)))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "config.json")));
    }

    private static string CacheFolder()
    {
        string? cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(cache))
        {
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
            cache = home.Length > 0 ? Path.Combine(home, ".cache") : Path.GetTempPath();
        }

        return Path.Combine(cache, "llmcluster");
    }

    private static void Move(string made, string target)
    {
        try
        {
            Directory.Move(made, target);
        }
        catch (IOException) when (Directory.Exists(target))
        {
            // Another process was faster; its files are the same.
        }
    }

    private static void RemoveOld(string folder, string current)
    {
        foreach (string old in Directory.EnumerateDirectories(folder, $"{Name}-*"))
        {
            if (old != current && Directory.GetLastWriteTimeUtc(old) < DateTime.UtcNow - KeepFor)
            {
                Directory.Delete(old, recursive: true);
            }
        }
    }
}
