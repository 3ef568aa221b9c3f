using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>
/// Makes the left operand of the next product, in the form that its weights ask for: brings rows into tiles, after an RMS norm or the gate. Items are tiles.
/// A single tile each thread makes for itself, when it begins with the product: to wait until one thread has made it for all would take as long, and then
/// its numbers would still have to come from that thread's core.
/// </summary>
internal sealed unsafe class LeftStep(CpuKernels kernels, Workspace workspace, float epsilon) : IParallelWork
{
    private readonly PaddedLong[] _madeAt = new PaddedLong[workspace.Threads];

    private enum Source
    {
        Plain,
        Norm,
        Gate,
    }

    private Source _source;
    private float* _rows;
    private float* _weight;
    private int _stride;
    private int _count;
    private PackedMatrix _next = null!;
    private int _upOffset;
    private long _number;

    private bool IsSingleTile => _count <= kernels.TileRows;

    /// <summary>Rows as they are.</summary>
    public void SetPlain(float* rows, int stride, int count, PackedMatrix next) => Set(Source.Plain, rows, stride, count, next);

    /// <summary>Rows after an RMS norm.</summary>
    public void SetNorm(float* rows, int stride, int count, NativeBuffer weight, PackedMatrix next)
    {
        Set(Source.Norm, rows, stride, count, next);
        _weight = weight.Floats;
    }

    /// <summary><c>silu(gate) · up</c> of rows that hold both.</summary>
    public void SetGate(float* rows, int stride, int count, int upOffset, PackedMatrix next)
    {
        Set(Source.Gate, rows, stride, count, next);
        _upOffset = upOffset;
    }

    /// <summary>Runs over all tiles, unless there is just one.</summary>
    public void RunOn(ThreadTeam team)
    {
        _number++;
        if (!IsSingleTile)
        {
            team.Run(this, (_count + kernels.TileRows - 1) / kernels.TileRows, 1);
        }
    }

    /// <summary>The operand: a single tile is made now, if the thread hasn't made it yet.</summary>
    /// <param name="thread">Index of the calling thread.</param>
    public float* Operand(int thread)
    {
        if (!IsSingleTile)
        {
            return workspace.Left;
        }

        float* own = workspace.OwnLeft(thread);
        ref long madeAt = ref _madeAt[thread].Value;
        if (madeAt != _number)
        {
            Make(own, 0, 1, thread);
            madeAt = _number;
        }

        return own;
    }

    public void Run(int first, int end, int thread) => Make(workspace.Left, first, end, thread);

    private void Make(float* operand, int first, int end, int thread)
    {
        int width = _next.Depth;
        for (int tile = first; tile < end; tile++)
        {
            int row = tile * kernels.TileRows;
            int rows = Math.Min(kernels.TileRows, _count - row);
            float* source = _rows + ((nint)row * _stride);
            float* left = operand + ((nint)row * _next.LeftWidth);
            if (_source == Source.Plain)
            {
                kernels.PackLeft(source, _stride, rows, _next, left);
                continue;
            }

            float* scratch = workspace.RowScratch(thread);
            for (int i = 0; i < rows; i++)
            {
                float* from = source + ((nint)i * _stride);
                float* to = scratch + (i * workspace.RowStride);
                if (_source == Source.Norm)
                {
                    kernels.RmsNorm(from, _weight, width, epsilon, to);
                }
                else
                {
                    kernels.SiluGate(from, from + _upOffset, width, to);
                }
            }

            kernels.PackLeft(scratch, workspace.RowStride, rows, _next, left);
        }
    }

    private void Set(Source source, float* rows, int stride, int count, PackedMatrix next)
    {
        _source = source;
        _rows = rows;
        _stride = stride;
        _count = count;
        _next = next;
    }
}
