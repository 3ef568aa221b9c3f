using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.Cpu.Threading;
using Xunit;

namespace LlmCluster.Tests.Unit.Cpu;

public sealed class AffinityTests
{
    [Theory]
    [InlineData("0", new[] { 0 })]
    [InlineData("0-3,8", new[] { 0, 1, 2, 3, 8 })]
    [InlineData("5, 2-2 ,3", new[] { 5, 2, 3 })]
    public void Lists_are_read_in_order(string text, int[] expected) => Assert.Equal(expected, ProcessorList.Parse(text));

    [Theory]
    [InlineData("", "'' is neither")]
    [InlineData("0,", "'' is neither")]
    [InlineData("a", "'a' is neither")]
    [InlineData("0-", "'0-' is neither")]
    [InlineData("-1", "'-1' is neither")]
    [InlineData("3-1", "'3-1' is neither")]
    [InlineData("0-1-2", "'0-1-2' is neither")]
    [InlineData("99999999999", "is neither a number up to 8191 nor a range")]
    [InlineData("0-2,1", "names processor 1 twice")]
    public void What_is_no_list_is_said(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<ArgumentException>(() => ProcessorList.Parse(text)).Message);

    [Fact]
    public void Options_are_checked_against_the_process()
    {
        Assert.SkipUnless(ProcessorAffinity.IsSupported, "Affinity is there on Linux alone.");
        int[] usable = ProcessorAffinity.OfProcess();
        Assert.NotEmpty(usable);
        string all = ProcessorList.Format(usable);
        new CpuOptions { Affinity = all }.Validate();
        Assert.Equal(usable.Length, new CpuOptions { Affinity = all }.ThreadCount);
        Assert.Equal(1, new CpuOptions { Affinity = all, Threads = 1 }.ThreadCount);
        Refused(new CpuOptions { Affinity = "0-" }, "CpuOptions.Affinity: '0-' is no list of processors");
        Refused(new CpuOptions { Affinity = $"{usable[0]},8191" }, $"but this process may not use 8191; it may use {all}.");
        Refused(
            new CpuOptions { Affinity = $"{usable[0]}", Threads = 2 },
            $"CpuOptions.Affinity is '{usable[0]}', 1 in all, too few for 2 threads; list one for each.");

        static void Refused(CpuOptions options, string expected) =>
            Assert.Contains(expected, Assert.Throws<ArgumentException>(options.Validate).Message);
    }

    [Fact]
    public void Each_thread_runs_on_its_processor_and_the_caller_only_meanwhile()
    {
        Assert.SkipUnless(ProcessorAffinity.IsSupported, "Affinity is there on Linux alone.");
        int[] processors = [.. ProcessorAffinity.OfProcess().Reverse().Take(3)];
        string before = AllowedOfThisThread();
        using var team = new ThreadTeam(processors.Length, processors);
        using var observation = new Observation(processors.Length);
        using (team.PinCaller())
        {
            team.Run(observation, processors.Length, 1);
            Assert.Equal(processors.Select(processor => $"{processor}"), observation.Allowed);

            // Else the thread pool would be tied, too.
            string started = "";
            var thread = new Thread(() => started = AllowedOfThisThread());
            thread.Start();
            Assert.True(thread.Join(TimeSpan.FromSeconds(30)));
            Assert.Equal(before, started);
        }

        Assert.Equal(before, AllowedOfThisThread());
    }

    [Fact]
    public void A_runner_ties_its_threads_and_gives_the_same_bits()
    {
        Assert.SkipUnless(ProcessorAffinity.IsSupported, "Affinity is there on Linux alone.");
        int[] processors = ProcessorAffinity.OfProcess();
        using var model = new TestModel(TestModel.Odd());
        using CpuModel weights = CpuModel.Load(model.Checkpoint, new CpuOptions { Threads = 1 });
        using var free = new CpuModelRunner(weights, 8);
        using var tied = new CpuModelRunner(weights, 8, new CpuOptions { Affinity = ProcessorList.Format(processors) });
        int[] tokens = TestModel.RandomTokens(new Random(4), 90, model.Config.VocabSize);
        Assert.Equal(free.RunAlone(tokens).Logits[89], tied.RunAlone(tokens).Logits[89]);

        // Names are cut to 15 characters; threads of other tests, which are not tied, have the same.
        IEnumerable<string> seen = Directory.EnumerateDirectories("/proc/self/task").Select(TryReadStatus).OfType<string>()
            .Where(status => status.StartsWith("Name:\tllmcluster-cpu-", StringComparison.Ordinal)).Select(Allowed);
        string[] wanted = [.. processors.Skip(1).Select(processor => $"{processor}")];
        Assert.True(SpinWait.SpinUntil(() => wanted.All(seen.Contains), TimeSpan.FromSeconds(30)));
    }

    private static string AllowedOfThisThread() => Allowed(File.ReadAllText("/proc/thread-self/status"));

    private static string Allowed(string status) =>
        status.Split('\n').Single(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal)).Split('\t')[1];

    // Threads come and go.
    private static string? TryReadStatus(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "status"));
        }
        catch (IOException)
        {
            return null;
        }
    }

    // Every thread takes one item, because none goes on before all have come.
    private sealed class Observation(int threads) : IParallelWork, IDisposable
    {
        private readonly Barrier _barrier = new(threads);

        public string[] Allowed { get; } = new string[threads];

        public void Run(int first, int end, int thread)
        {
            Assert.True(_barrier.SignalAndWait(TimeSpan.FromSeconds(30)));
            Allowed[thread] = AllowedOfThisThread();
        }

        public void Dispose() => _barrier.Dispose();
    }
}
