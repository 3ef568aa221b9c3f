using System.CommandLine;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>Options of a worker that <c>llmc up</c> takes as well and hands on.</summary>
internal static class WorkerSettings
{
    /// <summary>The key of the number of compute threads.</summary>
    public const string ThreadsKey = "Worker:Cpu:Threads";

    /// <summary>The key of the processors that they are tied to.</summary>
    public const string AffinityKey = "Worker:Cpu:Affinity";

    private const string WeightsKey = "Worker:Cpu:Weights";

    /// <summary>Adds the options of memory and number formats.</summary>
    public static void AddMemory(ServiceSettings settings)
    {
        settings.Add<int?>("--kv-blocks", "Worker:KvBlocks", "Blocks of each worker's KV pool. [default: as many as --kv-memory holds]", "N");
        settings.Add<int?>("--kv-memory", "Worker:KvMemoryMiB", "Memory of each worker's KV pool. [default: 512]", "MIB");
        Option<int?> host = settings.Add<int?>(
            "--kv-host-mib", "Worker:Tiers:HostMemoryMiB", "Host memory of each worker for KV blocks that its pool evicts. [default: 0, none]", "MIB");
        settings.Add<string?>(
            "--kv-disk", "Worker:Tiers:DiskPath", "Folder for KV blocks that host memory evicts; each worker takes a sub-folder. Needs --kv-host-mib. [default: none]", "DIR");
        Option<int?> disk = settings.Add<int?>("--kv-disk-mib", "Worker:Tiers:DiskMiB", "Room of each worker in that folder. [default: 4096]", "MIB");
        ServiceOptions.RequireRange(host, 0, int.MaxValue);
        ServiceOptions.RequireRange(disk, 1, int.MaxValue);
        Option<string?> weights = settings.AddChoice("--weights", WeightsKey, "Number format of weights. [default: the checkpoint's]", "bf16", "f32");
        Option<string?> quantize = settings.AddChoice(
            "--quantize", WeightsKey, "Round weights to integers of eight or four bits when they are loaded, 32 with a scale.", "q8", "q4");
        quantize.Validators.Add(result =>
        {
            if (result.GetResult(weights) is { Implicit: false })
            {
                result.AddError("--quantize and --weights both say how weights are held; give one of them.");
            }
        });
        settings.AddChoice("--kv-dtype", "Worker:Cpu:Kv", "Number format of the KV cache. [default: that of the weights]", "bf16", "f32", "int8");
    }
}
