using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// Zeroed native memory: whole pages of 2 MiB when it is large, else from a cache line on. A handle, so
/// that memory is not freed while another thread copies from it.
/// </summary>
internal sealed unsafe class NativeBuffer : SafeHandle
{
    private const nuint LargePage = 2u << 20;
    private const nuint CacheLine = 64;
    private const int AdviseHugePages = 14;

    // From here on a page of 2 MiB is asked for, though part of it stays unused: small pages lie scattered over the sets of the second-level cache, and what
    // streams halts at the end of each.
    private const nuint Large = LargePage / 2;

    private readonly void* _allocation;
    private readonly long _pressure;

    public NativeBuffer(long bytes)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        nuint alignment = (nuint)bytes >= Large ? LargePage : CacheLine;
        nuint size = (Math.Max((nuint)bytes, 1) + alignment - 1) / alignment * alignment;
        _allocation = NativeMemory.AllocZeroed(size + alignment);
        nuint start = ((nuint)_allocation + alignment - 1) & ~(alignment - 1);
        if (alignment == LargePage && OperatingSystem.IsLinux())
        {
            // A refusal only costs speed.
            _ = MemoryAdvise((void*)start, size, AdviseHugePages);
        }

        Bytes = bytes;
        SetHandle((nint)start);
        GC.AddMemoryPressure((long)(size + alignment));
        _pressure = (long)(size + alignment);
    }

    public long Bytes { get; }

    public override bool IsInvalid => handle == 0;

    public byte* Pointer => (byte*)handle;

    public float* Floats => (float*)handle;

    public static NativeBuffer OfFloats(long count) => new(count * sizeof(float));

    protected override bool ReleaseHandle()
    {
        NativeMemory.Free(_allocation);
        GC.RemoveMemoryPressure(_pressure);
        return true;
    }

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int MemoryAdvise(void* address, nuint length, int advice);
}
