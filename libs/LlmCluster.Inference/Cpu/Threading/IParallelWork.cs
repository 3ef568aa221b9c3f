namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>Work over independent items; which thread does which must not matter to the result.</summary>
internal interface IParallelWork
{
    /// <summary>Does the items from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    /// <param name="first">First item.</param>
    /// <param name="end">Item after the last.</param>
    /// <param name="thread">Index of the thread in its team, for scratch memory of its own.</param>
    void Run(int first, int end, int thread);
}
