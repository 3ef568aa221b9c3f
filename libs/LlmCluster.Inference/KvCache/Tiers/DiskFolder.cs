using System.Globalization;

namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>
/// The folder of one disk tier: <c>ROOT/IDENTITY/N</c>, the first N that nobody else holds. The identity stands for model and layout, so their
/// blocks never mix; a file <c>lock</c>, held open, keeps other engines and processes out.
/// </summary>
internal sealed class DiskFolder : IDisposable
{
    private const int MostFolders = 256;
    private const string LockName = "lock";

    private readonly FileStream _lock;

    private DiskFolder(string path, FileStream lockFile)
    {
        Path = path;
        _lock = lockFile;
    }

    /// <summary>Where the blocks are.</summary>
    public string Path { get; }

    /// <summary>Takes a folder for blocks of that identity.</summary>
    /// <exception cref="IOException">The root can't be written, or all folders are taken.</exception>
    public static DiskFolder Take(string root, BlockHash identity)
    {
        string parent = System.IO.Path.Combine(System.IO.Path.GetFullPath(root), identity.ToString());
        try
        {
            for (int i = 0; i < MostFolders; i++)
            {
                string path = System.IO.Path.Combine(parent, i.ToString(CultureInfo.InvariantCulture));
                Directory.CreateDirectory(path);
                if (TryLock(System.IO.Path.Combine(path, LockName)) is { } file)
                {
                    return new DiskFolder(path, file);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The folder '{root}' can't be used for KV blocks; expected one that can be written: {e.Message}", e);
        }

        throw new IOException($"The folder '{root}' can't be used for KV blocks: {MostFolders} others use it.");
    }

    /// <summary>Lets others take the folder.</summary>
    public void Dispose() => _lock.Dispose();

    private static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException) when (File.Exists(path))
        {
            return null;
        }
    }
}
