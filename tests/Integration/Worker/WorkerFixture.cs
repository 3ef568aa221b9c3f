using LlmCluster.Cluster;
using LlmCluster.Cluster.InMemory;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Models;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using LlmCluster.Worker;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Tests.Integration.Worker;

/// <summary>A tiny model with random weights that the workers of a test class share.</summary>
public sealed class WorkerFixture : IDisposable
{
    private readonly TempDirectory _directory = new("worker");

    public WorkerFixture()
    {
        ModelPath = _directory.Combine("tiny");
        RandomCheckpoint.Write(ModelArchitecture.Llama, ModelPreset.Tiny, 5, ModelPath);
        Model = WorkerModel.Load(ModelPath, new CpuOptions { Threads = 1 });
    }

    public string ModelPath { get; }

    public WorkerModel Model { get; }

    internal WorkerOptions Options(WorkerRole role) => new()
    {
        Role = role,
        ModelPath = ModelPath,
        ModelName = "tiny",
        KvBlocks = 128,
        Cpu = new CpuOptions { Threads = 1 },
        Engine = new EngineOptions { MaxBatchTokens = 64, MaxRunning = 16 },
        Lease = TimeSpan.FromSeconds(2),
        ShutdownTimeout = TimeSpan.FromSeconds(5),
    };

    internal async Task<WorkerApp> StartAsync(WorkerRole role, IClusterState state, Func<WorkerOptions, WorkerOptions>? change = null)
    {
        WorkerOptions options = change?.Invoke(Options(role)) ?? Options(role);
        WorkerApp worker = await WorkerApp.StartAsync(options, state, Model, logging => logging.SetMinimumLevel(LogLevel.None));
        await worker.Joined.WaitAsync(Eventually.DefaultDeadline);
        return worker;
    }

    public void Dispose()
    {
        Model.Dispose();
        _directory.Dispose();
    }
}
