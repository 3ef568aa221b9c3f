using LlmCluster.Cluster;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.Worker;

/// <summary>How a worker runs. Configuration section <c>Worker</c>, for example <c>LLMC__Worker__Role</c>.</summary>
public sealed record WorkerOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Worker";

    /// <summary>Name of the section that <see cref="Cpu"/> begins with, for whatever runs on the CPU: <c>LLMC__Cpu__Isa</c>.</summary>
    public const string CpuSection = "Cpu";

    private const string TiersKey = $"{Section}:{nameof(Tiers)}";
    private const int HighestPort = 65535;

    /// <summary>What the worker does.</summary>
    public WorkerRole Role { get; init; } = WorkerRole.Mixed;

    /// <summary>Unique name of this run of the worker; empty: role, machine and a random number.</summary>
    public string Id { get; init; } = "";

    /// <summary>Folder of the model in Hugging Face layout.</summary>
    public string ModelPath { get; init; } = "";

    /// <summary>Name of the model as clients ask for it; the folder's name by default.</summary>
    public string? ModelName { get; init; }

    /// <summary>Address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Name or address under which others reach the worker; by default <see cref="Host"/>, or the machine's name for <c>*</c>.</summary>
    public string? AdvertisedHost { get; init; }

    /// <summary>Port for HTTP/1.1; 0 takes a free one.</summary>
    public int HttpPort { get; init; }

    /// <summary>Port for gRPC (HTTP/2 without TLS); 0 takes a free one.</summary>
    public int GrpcPort { get; init; }

    /// <summary>Blocks of the KV pool; 0: as many as <see cref="KvMemoryMiB"/> holds.</summary>
    public int KvBlocks { get; init; }

    /// <summary>Memory of the KV pool in MiB, where <see cref="KvBlocks"/> is 0.</summary>
    public int KvMemoryMiB { get; init; } = 512;

    /// <summary>Where evicted KV blocks go.</summary>
    public KvTierOptions Tiers { get; init; } = new();

    /// <summary>Limits of the engine.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>How the model runs.</summary>
    public CpuOptions Cpu { get; init; } = new();

    /// <summary>Deadlines and limits of KV transfer to this worker.</summary>
    public KvReceiverOptions Receiver { get; init; } = new();

    /// <summary>Deadlines and limits of KV transfer from this worker.</summary>
    public KvSenderOptions Sender { get; init; } = new();

    /// <summary>Deadlines and limits of fetching KV blocks from other workers, and of serving them.</summary>
    public KvFetchOptions Fetch { get; init; } = new();

    /// <summary>The worker vanishes from the cluster this long after its last heartbeat.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Time between two heartbeats, which carry the load: at most a third of <see cref="Lease"/>.</summary>
    public TimeSpan LoadInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Time between two batches in which the cluster's prefix directory is told which KV blocks came and went; what comes after a quiet time is told at once.</summary>
    public TimeSpan PublishInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>How long running requests may take to finish when the worker ends; the others then fail. What is left of it goes to writing KV blocks to the disk, where there is such a tier.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The name that clients ask for.</summary>
    public string ServedModelName => ModelName is { Length: > 0 } name
        ? name
        : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(ModelPath)));

    /// <summary>Blocks of a pool of this layout.</summary>
    /// <exception cref="WorkerOptionsException">The memory of the pool, or a tier, is too small for it.</exception>
    public int BlocksFor(KvLayout layout)
    {
        Check(() => Tiers.ValidateFor(layout, TiersKey));
        if (KvBlocks > 0)
        {
            return KvBlocks;
        }

        long blocks = ((long)KvMemoryMiB << 20) / layout.BlockBytes;
        Require(blocks >= 1, nameof(KvMemoryMiB), KvMemoryMiB, $"more: one block of {layout.Fingerprint} has {layout.BlockBytes} bytes");
        return (int)Math.Min(blocks, int.MaxValue / 2);
    }

    /// <summary>Reads the options from configuration and checks them.</summary>
    /// <param name="configuration">The root, or anything that holds the section.</param>
    /// <exception cref="WorkerOptionsException">A key has a wrong value.</exception>
    public static WorkerOptions Bind(IConfiguration configuration)
    {
        WorkerOptions options;
        try
        {
            options = new WorkerOptions { Cpu = configuration.GetSection(CpuSection).Get<CpuOptions>() ?? new CpuOptions() };
            configuration.GetSection(Section).Bind(options);
        }
        catch (InvalidOperationException e)
        {
            throw new WorkerOptionsException(e.InnerException is { } inner ? $"{e.Message} {inner.Message}" : e.Message, e);
        }

        options.Validate();
        return options;
    }

    /// <summary>Checks the options.</summary>
    /// <exception cref="WorkerOptionsException">A key has a wrong value; the message names it.</exception>
    public void Validate()
    {
        Require(Enum.IsDefined(Role), nameof(Role), Role, "prefill, decode or mixed");
        Require(ModelPath.Length > 0, nameof(ModelPath), ModelPath, "the folder of a model in Hugging Face layout");
        Require(Hosting.WorkerListener.TryParseHost(Host, out _), nameof(Host), Host, "an IP address, localhost or *");
        Require(
            AdvertisedHost is null || Uri.CheckHostName(AdvertisedHost.Trim('[', ']')) != UriHostNameType.Unknown,
            nameof(AdvertisedHost), AdvertisedHost ?? "", "a host name or an IP address");
        Require(HttpPort is >= 0 and <= HighestPort, nameof(HttpPort), HttpPort, "0 to 65535");
        Require(GrpcPort is >= 0 and <= HighestPort, nameof(GrpcPort), GrpcPort, "0 to 65535");
        Require(HttpPort == 0 || HttpPort != GrpcPort, nameof(GrpcPort), GrpcPort, $"another port than {Section}:{nameof(HttpPort)}");
        Require(KvBlocks >= 0, nameof(KvBlocks), KvBlocks, "a number of blocks, or 0 to go by memory");
        Require(KvMemoryMiB >= 1, nameof(KvMemoryMiB), KvMemoryMiB, "at least 1");
        Require(Lease >= TimeSpan.FromMilliseconds(100) && Lease <= TimeSpan.FromHours(1), nameof(Lease), Lease, "100 milliseconds to an hour");
        Require(
            LoadInterval > TimeSpan.Zero && LoadInterval <= Lease / 3, nameof(LoadInterval), LoadInterval, $"over zero and at most a third of {Section}:{nameof(Lease)}, {Lease / 3}");
        Require(
            PublishInterval > TimeSpan.Zero && PublishInterval <= TimeSpan.FromMinutes(1), nameof(PublishInterval), PublishInterval, "over zero and at most a minute");
        Require(
            ShutdownTimeout >= TimeSpan.Zero && ShutdownTimeout <= TimeSpan.FromDays(1), nameof(ShutdownTimeout), ShutdownTimeout, "a time such as 00:00:10, at most a day");
        ValidateEngine();
        Check(() => Tiers.Validate(TiersKey));
        Check(() => Receiver.Validate($"{Section}:{nameof(Receiver)}"));
        Check(() => Sender.Validate($"{Section}:{nameof(Sender)}"));
        Check(() => Fetch.Validate($"{Section}:{nameof(Fetch)}"));
    }

    private void ValidateEngine()
    {
        Check(() => Cpu.Validate(), $"{Section}:{nameof(Cpu)}: ");
        Require(Engine.MaxRunning >= 1, $"{nameof(Engine)}:{nameof(Engine.MaxRunning)}", Engine.MaxRunning, "at least 1");
        Require(
            Engine.AdmissionQuantile is >= 0 and < 1,
            $"{nameof(Engine)}:{nameof(Engine.AdmissionQuantile)}", Engine.AdmissionQuantile, "0 (off), or over 0 and below 1");
        Require(Engine.QueueAgeing > TimeSpan.Zero, $"{nameof(Engine)}:{nameof(Engine.QueueAgeing)}", Engine.QueueAgeing, "a time such as 00:00:10");
        Require(Enum.IsDefined(Engine.Queue), $"{nameof(Engine)}:{nameof(Engine.Queue)}", Engine.Queue, string.Join(", ", Enum.GetNames<QueueOrder>()));
        Require(Engine.MaxStepTime >= TimeSpan.Zero, $"{nameof(Engine)}:{nameof(Engine.MaxStepTime)}", Engine.MaxStepTime, "a time such as 00:00:00.1, or zero for no limit");
        int least = Engine.MaxRunning + Cpu.BlockSize;
        Require(
            Engine.MaxBatchTokens >= least,
            $"{nameof(Engine)}:{nameof(Engine.MaxBatchTokens)}", Engine.MaxBatchTokens, $"at least {least}: {nameof(Engine.MaxRunning)} and a block more");
    }

    private static void Check(Action check, string prefix = "")
    {
        try
        {
            check();
        }
        catch (ArgumentException e)
        {
            throw new WorkerOptionsException(prefix + e.Message, e);
        }
    }

    private static void Require(bool holds, string key, object value, string expected)
    {
        if (!holds)
        {
            throw new WorkerOptionsException($"{Section}:{key} is '{value}'; expected {expected}.");
        }
    }
}

/// <summary>A worker's configuration is wrong.</summary>
/// <param name="message">Names the key and what would be right.</param>
/// <param name="innerException">What led to it.</param>
public sealed class WorkerOptionsException(string message, Exception? innerException = null) : Exception(message, innerException);
