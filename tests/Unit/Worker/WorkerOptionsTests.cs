using LlmCluster.Cluster;
using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.KvCache;
using LlmCluster.Worker;
using Microsoft.Extensions.Configuration;
using Xunit;

namespace LlmCluster.Tests.Unit.Worker;

public class WorkerOptionsTests
{
    [Fact]
    public void Every_part_is_bound()
    {
        WorkerOptions options = Bind(
            ("Role", "decode"),
            ("Id", "d1"),
            ("Host", "*"),
            ("AdvertisedHost", "10.0.0.7"),
            ("HttpPort", "9000"),
            ("GrpcPort", "9001"),
            ("KvBlocks", "77"),
            ("Engine:MaxRunning", "8"),
            ("Tiers:HostMemoryMiB", "64"),
            ("Tiers:DiskPath", "/var/kv"),
            ("Tiers:DiskMiB", "128"),
            ("Tiers:LoadTimeout", "00:00:03"),
            ("Cpu:Threads", "3"),
            ("Cpu:Kv", "F32"),
            ("Receiver:ClaimTimeout", "00:00:07"),
            ("Sender:MaxFrameBytes", "65536"),
            ("Fetch:Timeout", "00:00:01"),
            ("Lease", "00:00:05"),
            ("LoadInterval", "00:00:00.1"));
        Assert.Equal((WorkerRole.Decode, "d1", "*", "10.0.0.7"), (options.Role, options.Id, options.Host, options.AdvertisedHost));
        Assert.Equal((9000, 9001, 77, 8, 3), (options.HttpPort, options.GrpcPort, options.KvBlocks, options.Engine.MaxRunning, options.Cpu.Threads));
        Assert.Equal(KvDtype.F32, options.Cpu.Kv);
        Assert.Equal((64, "/var/kv", 128, TimeSpan.FromSeconds(3)), (options.Tiers.HostMemoryMiB, options.Tiers.DiskPath, options.Tiers.DiskMiB, options.Tiers.LoadTimeout));
        Assert.Equal(TimeSpan.FromSeconds(7), options.Receiver.ClaimTimeout);
        Assert.Equal(65536, options.Sender.MaxFrameBytes);
        Assert.Equal(TimeSpan.FromSeconds(1), options.Fetch.Timeout);
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(100)), (options.Lease, options.LoadInterval));
        Assert.Equal("model", options.ServedModelName);
    }

    [Theory]
    [InlineData("Role", "worker")]
    [InlineData("ModelPath", "")]
    [InlineData("LoadInterval", "00:00:00")]
    [InlineData("PublishInterval", "00:00:00")]
    [InlineData("Fetch:Timeout", "00:00:00")]
    [InlineData("Fetch:MaxServed", "0")]
    [InlineData("Fetch:MaxFrameBytes", "1")]
    [InlineData("LoadInterval", "00:00:04")]
    [InlineData("Host", "not an address")]
    [InlineData("AdvertisedHost", "no/host")]
    [InlineData("HttpPort", "70000")]
    [InlineData("HttpPort", "many")]
    [InlineData("GrpcPort", "-1")]
    [InlineData("KvBlocks", "-1")]
    [InlineData("KvMemoryMiB", "0")]
    [InlineData("Engine:MaxRunning", "0")]
    [InlineData("Engine:AdmissionQuantile", "1")]
    [InlineData("Engine:AdmissionQuantile", "-0.5")]
    [InlineData("Engine:MaxBatchTokens", "10")]
    [InlineData("Engine:MaxStepTime", "-00:00:01")]
    [InlineData("Tiers:HostMemoryMiB", "-1")]
    [InlineData("Tiers:HostBlocks", "-1")]
    [InlineData("Tiers:DiskPath", "")]
    [InlineData("Tiers:DiskMiB", "0")]
    [InlineData("Tiers:DiskBlocks", "-1")]
    [InlineData("Tiers:LoadTimeout", "00:00:00")]
    [InlineData("Tiers:WriteAhead", "1.5")]
    [InlineData("Cpu:Threads", "0")]
    [InlineData("Receiver:ReserveTimeout", "-00:00:01")]
    [InlineData("Receiver:MemoryLimit", "0")]
    [InlineData("Sender:MaxFrameBytes", "12")]
    [InlineData("Sender:WriteTimeout", "00:00:00")]
    [InlineData("Lease", "00:00:00")]
    [InlineData("ShutdownTimeout", "-00:00:01")]
    public void A_wrong_value_is_refused_with_its_key(string key, string value)
    {
        var error = Assert.Throws<WorkerOptionsException>(() => Bind((key, value)));
        string last = key.Split(':')[^1];
        Assert.Contains("Worker:", error.Message, StringComparison.Ordinal);
        Assert.Contains(last, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_endpoints_do_not_share_a_port()
    {
        var error = Assert.Throws<WorkerOptionsException>(() => Bind(("HttpPort", "9000"), ("GrpcPort", "9000")));
        Assert.Contains("Worker:GrpcPort", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_pool_goes_by_blocks_or_by_memory()
    {
        var layout = new KvLayout(Layers: 2, KvHeads: 4, HeadDim: 64, KvDtype.BF16);
        Assert.Equal(77, Bind(("KvBlocks", "77")).BlocksFor(layout));
        Assert.Equal((8 << 20) / (int)layout.BlockBytes, Bind(("KvMemoryMiB", "8")).BlocksFor(layout));
        var large = new KvLayout(Layers: 80, KvHeads: 64, HeadDim: 128, KvDtype.F32);
        var error = Assert.Throws<WorkerOptionsException>(() => Bind(("KvMemoryMiB", "1")).BlocksFor(large));
        Assert.Contains("Worker:KvMemoryMiB", error.Message, StringComparison.Ordinal);
        Assert.Contains($"{large.BlockBytes}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_said_of_the_processor_for_all_holds_unless_the_worker_says_otherwise()
    {
        WorkerOptions options = Bind("Worker:Cpu:BlockSize=8", "Cpu:BlockSize=32", "Cpu:Isa=portable");
        Assert.Equal((CpuIsa.Portable, 8), (options.Cpu.Isa, options.Cpu.BlockSize));
        Assert.Equal(32, Bind("Cpu:BlockSize=32").Cpu.BlockSize);
        Assert.Contains("Cpu:Isa", Assert.Throws<WorkerOptionsException>(() => Bind("Cpu:Isa=sse")).Message, StringComparison.Ordinal);

        static WorkerOptions Bind(params string[] settings) => WorkerOptions.Bind(new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Append("Worker:ModelPath=/models/model").Select(s => s.Split('=')).ToDictionary(s => s[0], s => (string?)s[1]))
            .Build());
    }

    private static WorkerOptions Bind(params (string Key, string Value)[] settings)
    {
        var values = new Dictionary<string, string?> { ["Worker:ModelPath"] = "/models/model" };
        foreach ((string key, string value) in settings)
        {
            values[$"Worker:{key}"] = value;
        }

        return WorkerOptions.Bind(new ConfigurationBuilder().AddInMemoryCollection(values).Build());
    }
}
