namespace LlmCluster.Testing;

/// <summary>Finds files of the checkout that the tests were built from.</summary>
public static class RepositoryRoot
{
    private static readonly Lazy<string> Root = new(Find);

    /// <summary>Absolute path of the folder that holds <c>LlmCluster.sln</c>.</summary>
    public static string Path => Root.Value;

    /// <summary>Absolute path of something below the root.</summary>
    public static string Combine(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Path, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "LlmCluster.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException(
            $"No folder above '{AppContext.BaseDirectory}' holds LlmCluster.sln; run the tests from a checkout.");
    }
}
