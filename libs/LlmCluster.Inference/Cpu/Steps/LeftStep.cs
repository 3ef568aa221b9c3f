using LlmCluster.Inference.Cpu.Kernels;
using LlmCluster.Inference.Cpu.Threading;

namespace LlmCluster.Inference.Cpu.Steps;

/// <summary>
/// Makes the left operand of the next product: brings rows into tiles, after an RMS norm or the gate. Items are tiles.
/// </summary>
internal sealed unsafe class LeftStep(CpuKernels kernels, Workspace workspace, float epsilon) : IParallelWork
{
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
    private int _width;
    private int _upOffset;

    /// <summary>Rows as they are.</summary>
    public void SetPlain(float* rows, int stride, int count, int width) => Set(Source.Plain, rows, stride, count, width);

    /// <summary>Rows after an RMS norm.</summary>
    public void SetNorm(float* rows, int stride, int count, int width, NativeBuffer weight)
    {
        Set(Source.Norm, rows, stride, count, width);
        _weight = weight.Floats;
    }

    /// <summary><c>silu(gate) · up</c> of rows that hold both.</summary>
    public void SetGate(float* rows, int stride, int count, int width, int upOffset)
    {
        Set(Source.Gate, rows, stride, count, width);
        _upOffset = upOffset;
    }

    /// <summary>Runs over all tiles.</summary>
    public void RunOn(ThreadTeam team) => team.Run(this, (_count + kernels.TileRows - 1) / kernels.TileRows, 1);

    public void Run(int first, int end, int thread)
    {
        for (int tile = first; tile < end; tile++)
        {
            int row = tile * kernels.TileRows;
            int rows = Math.Min(kernels.TileRows, _count - row);
            float* source = _rows + ((nint)row * _stride);
            float* left = workspace.Left + ((nint)row * _width);
            if (_source == Source.Plain)
            {
                TilePacking.Transpose(source, _stride, rows, _width, left, rows);
                continue;
            }

            float* scratch = workspace.RowScratch(thread);
            for (int i = 0; i < rows; i++)
            {
                float* from = source + ((nint)i * _stride);
                float* to = scratch + (i * workspace.RowStride);
                if (_source == Source.Norm)
                {
                    kernels.RmsNorm(from, _weight, _width, epsilon, to);
                }
                else
                {
                    kernels.SiluGate(from, from + _upOffset, _width, to);
                }
            }

            TilePacking.Transpose(scratch, workspace.RowStride, rows, _width, left, rows);
        }
    }

    private void Set(Source source, float* rows, int stride, int count, int width)
    {
        _source = source;
        _rows = rows;
        _stride = stride;
        _count = count;
        _width = width;
    }
}
