using System.Runtime.InteropServices;

namespace LlmCluster.Inference.Cpu;

/// <summary>
/// Zeroed native memory that starts on a page of 2 MiB when it is that large, else on a cache line. A handle, so
/// that memory is not freed while another thread copies from it.
/// </summary>
internal sealed unsafe class NativeBuffer : SafeHandle
{
    private const nuint LargePage = 2u << 20;
    private const nuint CacheLine = 64;
    private const int AdviseHugePages = 14;

    private readonly void* _allocation;

    public NativeBuffer(long bytes)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        nuint size = Math.Max((nuint)bytes, CacheLine);
        nuint alignment = size >= LargePage ? LargePage : CacheLine;
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

    private readonly long _pressure;

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
