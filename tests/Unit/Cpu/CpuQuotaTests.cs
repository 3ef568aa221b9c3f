using LlmCluster.Inference.Cpu.Threading;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

/// <summary>CPU limits of control groups, as files below a root that stands for the system's.</summary>
public sealed class CpuQuotaTests : IDisposable
{
    private readonly TempDirectory _root = new("cgroup");

    public void Dispose() => _root.Dispose();

    [Theory]
    [InlineData("150000 100000", 1.5)]
    [InlineData("50000 100000", 0.5)]
    [InlineData("400000 200000", 2.0)]
    [InlineData("max 100000", null)]
    [InlineData("", null)]
    [InlineData("-5 100000", null)]
    [InlineData("100000 0", null)]
    [InlineData("100000", null)]
    public void Version_2_as_a_container_sees_it(string max, double? expected)
    {
        Write("proc/self/cgroup", "0::/\n");
        Write("sys/fs/cgroup/cpu.max", max + "\n");
        Assert.Equal(expected, CpuQuota.Read(_root.Path));
    }

    [Theory]
    [InlineData("max 100000", "300000 100000", "200000 100000", 2.0)]
    [InlineData("150000 100000", "300000 100000", "max 100000", 1.5)]
    [InlineData("max 100000", "max 100000", "max 100000", null)]
    public void The_least_limit_from_the_group_to_the_root_counts(string root, string parent, string own, double? expected)
    {
        Write("proc/self/cgroup", "0::/pods/worker\n");
        Write("sys/fs/cgroup/cpu.max", root);
        Write("sys/fs/cgroup/pods/cpu.max", parent);
        Write("sys/fs/cgroup/pods/worker/cpu.max", own);
        Write("sys/fs/cgroup/pods/other/cpu.max", "1000 100000");
        Assert.Equal(expected, CpuQuota.Read(_root.Path));
    }

    [Theory]
    [InlineData("cpu", "250000", 2.5)]
    [InlineData("cpu,cpuacct", "250000", 2.5)]
    [InlineData("cpu,cpuacct", "-1", null)]
    public void Version_1(string controllers, string quota, double? expected)
    {
        Write("proc/self/cgroup", $"5:cpuset:/\n4:{controllers}:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n");
        Write($"sys/fs/cgroup/{controllers}/docker/abc/cpu.cfs_quota_us", quota + "\n");
        Write($"sys/fs/cgroup/{controllers}/docker/abc/cpu.cfs_period_us", "100000\n");
        Assert.Equal(expected, CpuQuota.Read(_root.Path));
    }

    [Fact]
    public void A_group_that_is_mounted_as_the_root_has_the_path_of_the_host()
    {
        Write("proc/self/cgroup", "4:cpu,cpuacct:/docker/abc\n");
        Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000");
        Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000");
        Assert.Equal(1.5, CpuQuota.Read(_root.Path));
    }

    [Fact]
    public void Where_nothing_can_be_read_there_is_no_limit() => Assert.Null(CpuQuota.Read(_root.Path));

    [Theory]
    [InlineData(8, null, 8)]
    [InlineData(8, 1.5, 1)]
    [InlineData(8, 2.0, 2)]
    [InlineData(8, 0.5, 1)]
    [InlineData(2, 4.0, 2)]
    public void Threads_fit_into_the_limit(int processors, double? quota, int expected) =>
        Assert.Equal(expected, UsableProcessors.Within(processors, quota));

    private void Write(string file, string text) => _root.Write(file, text);
}
