namespace LlmCluster.Inference.KvCache.Tiers;

/// <summary>Where the content of KV blocks goes when the pool evicts it: to host memory, and from there to the local disk.</summary>
public sealed record KvTierOptions
{
    /// <summary>Evicted blocks that host memory holds; 0: as many as <see cref="HostMemoryMiB"/> has room for.</summary>
    public int HostBlocks { get; init; }

    /// <summary>Host memory for evicted blocks in MiB, where <see cref="HostBlocks"/> is 0; if both are, there are no tiers at all.</summary>
    public int HostMemoryMiB { get; init; }

    /// <summary>
    /// Folder for blocks that host memory evicts; none by default. Each engine takes a sub-folder of its own that no other process has, one for the same model and
    /// layout where there is one, so several workers may be given the same folder and a restarted one finds what it left.
    /// </summary>
    public string? DiskPath { get; init; }

    /// <summary>Blocks on the disk, for each engine; 0: as many as <see cref="DiskMiB"/> has room for.</summary>
    public int DiskBlocks { get; init; }

    /// <summary>Room on the disk in MiB, for each engine, where <see cref="DiskBlocks"/> is 0.</summary>
    public int DiskMiB { get; init; } = 4096;

    /// <summary>Longest wait of a sequence for blocks that come up from a tier; it then computes the rest itself.</summary>
    public TimeSpan LoadTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Share of a tier's blocks, those that it would evict next, whose content is kept saved in the tier below ahead of need. 0: content is saved only when it is evicted,
    /// and never to the disk but at the end.
    /// </summary>
    public double WriteAhead { get; init; } = 0.25;

    /// <summary>Whether there are tiers below the pool.</summary>
    public bool IsEnabled => HostBlocks > 0 || HostMemoryMiB > 0;

    /// <summary>Checks the options.</summary>
    /// <param name="prefix">Begins the names of keys in messages, for example <c>Worker:Tiers</c>.</param>
    /// <exception cref="ArgumentException">A key has a wrong value; the message names it.</exception>
    public void Validate(string prefix)
    {
        Require(HostBlocks >= 0, prefix, nameof(HostBlocks), HostBlocks, "a number of blocks, or 0 to go by memory");
        Require(DiskBlocks >= 0, prefix, nameof(DiskBlocks), DiskBlocks, "a number of blocks, or 0 to go by room");
        Require(HostMemoryMiB >= 0, prefix, nameof(HostMemoryMiB), HostMemoryMiB, "a number of MiB, or 0 for no tiers");
        Require(
            DiskPath is null || DiskPath.Length > 0 && DiskPath.IndexOfAny(Path.GetInvalidPathChars()) < 0,
            prefix, nameof(DiskPath), DiskPath ?? "", "a folder");
        Require(
            DiskPath is null || IsEnabled,
            prefix, nameof(HostMemoryMiB), HostMemoryMiB, $"at least 1 with {prefix}:{nameof(DiskPath)}: blocks go to the disk by way of host memory");
        Require(DiskMiB >= 1, prefix, nameof(DiskMiB), DiskMiB, "at least 1");
        Require(
            LoadTimeout > TimeSpan.Zero && LoadTimeout <= TimeSpan.FromHours(1), prefix, nameof(LoadTimeout), LoadTimeout, "a time such as 00:00:02, at most an hour");
        Require(WriteAhead is >= 0 and <= 1, prefix, nameof(WriteAhead), WriteAhead, "a share from 0 to 1");
    }

    /// <summary>Checks that the tiers hold blocks of this layout.</summary>
    /// <param name="layout">Shape of the blocks.</param>
    /// <param name="prefix">Begins the names of keys in messages.</param>
    /// <exception cref="ArgumentException">A tier is too small; the message names the key.</exception>
    public void ValidateFor(KvLayout layout, string prefix)
    {
        string expected = $"more: one block of {layout.Fingerprint} has {layout.BlockBytes} bytes, and a tier needs room for {LeastBlocks}";
        (string key, int value) = HostBlocks > 0 ? (nameof(HostBlocks), HostBlocks) : (nameof(HostMemoryMiB), HostMemoryMiB);
        Require(!IsEnabled || HostBlocksFor(layout) >= LeastBlocks, prefix, key, value, expected);
        (key, value) = DiskBlocks > 0 ? (nameof(DiskBlocks), DiskBlocks) : (nameof(DiskMiB), DiskMiB);
        Require(DiskPath is null || DiskBlocksFor(layout) >= LeastBlocks, prefix, key, value, expected);
    }

    // One is written while others are read.
    private const int LeastBlocks = 4;

    /// <summary>Slots of host memory for blocks of this layout.</summary>
    internal int HostBlocksFor(KvLayout layout) => HostBlocks > 0 ? HostBlocks : BlocksIn(HostMemoryMiB, layout.BlockBytes);

    /// <summary>Files of blocks of this layout.</summary>
    internal int DiskBlocksFor(KvLayout layout) => DiskBlocks > 0 ? DiskBlocks : BlocksIn(DiskMiB, DiskBlockFile.HeaderBytes + layout.BlockBytes);

    private static int BlocksIn(int mib, long blockBytes) => (int)Math.Min(((long)mib << 20) / blockBytes, int.MaxValue / 2);

    private static void Require(bool holds, string prefix, string key, object value, string expected)
    {
        if (!holds)
        {
            throw new ArgumentException($"{prefix}:{key} is '{value}'; expected {expected}.");
        }
    }
}
