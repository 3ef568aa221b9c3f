using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>Which processors threads may run on, as masks with a bit for each. Linux only: elsewhere nothing is known and nothing changes.</summary>
internal static unsafe class ProcessorAffinity
{
    /// <summary>Bytes of a mask.</summary>
    public const int MaskBytes = (ProcessorList.Highest + 1) / 8;

    private const int CallingThread = 0;

    /// <summary>Whether this platform can tie threads to processors.</summary>
    public static bool IsSupported => OperatingSystem.IsLinux();

    /// <summary>Processors that the process may use: those of its first thread; none if that is not known.</summary>
    public static int[] OfProcess()
    {
        byte[] mask = new byte[MaskBytes];
        return TryRead(Environment.ProcessId, mask)
            ? [.. Enumerable.Range(0, MaskBytes * 8).Where(processor => ((mask[processor / 8] >> (processor % 8)) & 1) != 0)]
            : [];
    }

    /// <summary>The mask of one processor.</summary>
    public static byte[] MaskOf(int processor)
    {
        byte[] mask = new byte[MaskBytes];
        mask[processor / 8] = (byte)(1 << (processor % 8));
        return mask;
    }

    /// <summary>Reads the calling thread's mask.</summary>
    /// <returns>Whether it is known.</returns>
    public static bool TryRead(Span<byte> mask) => TryRead(CallingThread, mask);

    /// <summary>Ties the calling thread to a mask's processors.</summary>
    /// <returns>Whether the system did.</returns>
    public static bool TryWrite(ReadOnlySpan<byte> mask)
    {
        fixed (byte* bytes = mask)
        {
            return IsSupported && SetAffinity(CallingThread, (nuint)mask.Length, bytes) == 0;
        }
    }

    private static bool TryRead(int thread, Span<byte> mask)
    {
        mask.Clear();
        fixed (byte* bytes = mask)
        {
            return IsSupported && GetAffinity(thread, (nuint)mask.Length, bytes) == 0;
        }
    }

    [DllImport("libc", EntryPoint = "sched_setaffinity")]
    private static extern int SetAffinity(int thread, nuint bytes, byte* mask);

    [DllImport("libc", EntryPoint = "sched_getaffinity")]
    private static extern int GetAffinity(int thread, nuint bytes, byte* mask);
}
