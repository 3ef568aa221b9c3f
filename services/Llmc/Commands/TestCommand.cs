using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Xml.Linq;

namespace LlmCluster.CommandLine.Commands;

/// <summary><c>llmc test</c>: runs every test suite, the fast ones first, and sums their results.</summary>
internal static class TestCommand
{
    private static readonly string[] Suites = ["Unit", "Integration", "Interop"];

    public static Command Create()
    {
        var suite = new Option<string[]>("--suite")
        {
            Description = $"Run only these suites: {string.Join(", ", Suites).ToLowerInvariant()}.",
            AllowMultipleArgumentsPerToken = true,
        };
        suite.Validators.Add(result =>
        {
            foreach (string name in result.Tokens.Select(t => t.Value).Except(Suites, StringComparer.OrdinalIgnoreCase))
            {
                result.AddError($"--suite: there is no suite '{name}'; there are {string.Join(", ", Suites).ToLowerInvariant()}.");
            }
        });
        var filter = new Option<string?>("--class") { Description = "Run only test classes with this full name; * at either end stands for anything." };
        var command = new Command("test", "Runs the tests; the last line is 'N passed, N failed, N skipped'.") { suite, filter };
        command.SetAction((result, cancellation) => RunAsync(result.GetValue(suite) ?? [], result.GetValue(filter), cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string[] wanted, string? filter, CancellationToken cancellationToken)
    {
        string root = Environment.GetEnvironmentVariable("LLMC_ROOT") ?? Directory.GetCurrentDirectory();
        var total = default(Counts);
        foreach (string suite in Suites.Where(s => wanted.Length == 0 || wanted.Contains(s, StringComparer.OrdinalIgnoreCase)))
        {
            Console.WriteLine($"== {suite}");
            var watch = Stopwatch.StartNew();
            Counts counts = await RunSuiteAsync(root, suite, filter, cancellationToken);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"== {suite}: {counts.Passed} passed, {counts.Failed} failed, {counts.Skipped} skipped in {watch.Elapsed.TotalSeconds:F0} s"));
            total += counts;
        }

        if (total == default)
        {
            Console.Error.WriteLine("llmc test: no test was run.");
            return 1;
        }

        Console.WriteLine($"{total.Passed} passed, {total.Failed} failed, {total.Skipped} skipped");
        return total.Failed == 0 ? 0 : 1;
    }

    private static async Task<Counts> RunSuiteAsync(string root, string suite, string? filter, CancellationToken cancellationToken)
    {
        string name = $"LlmCluster.{suite}.Tests";
        string program = Path.Combine(root, "artifacts", "bin", name, "release", name);
        if (!File.Exists(program))
        {
            Console.Error.WriteLine($"llmc test: {program} is missing; ./llmc test builds it.");
            return new Counts(0, 1, 0);
        }

        string report = Path.Combine(root, "artifacts", $"{name}.xml");
        File.Delete(report);
        var start = new ProcessStartInfo(program) { WorkingDirectory = root, UseShellExecute = false };
        string[] only = filter is null ? [] : ["-class", filter];
        foreach (string argument in (string[])["-noLogo", "-noColor", "-longRunning", "60", "-xml", report, .. only])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start.");
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        Counts counts = File.Exists(report) ? ReadReport(report) : default;

        // A runner that dies before its report, or fails without naming a test, must not pass for green.
        return process.ExitCode != 0 && counts.Failed == 0 ? counts + new Counts(0, 1, 0) : counts;
    }

    private static Counts ReadReport(string path)
    {
        var total = default(Counts);
        foreach (XElement assembly in XDocument.Load(path).Descendants("assembly"))
        {
            int Read(string attribute) => (int?)assembly.Attribute(attribute) ?? 0;
            total += new Counts(Read("passed"), Read("failed") + Read("errors"), Read("skipped"));
        }

        return total;
    }

    private readonly record struct Counts(int Passed, int Failed, int Skipped)
    {
        public static Counts operator +(Counts a, Counts b) => new(a.Passed + b.Passed, a.Failed + b.Failed, a.Skipped + b.Skipped);
    }
}
