using LlmCluster.CommandLine.Commands;
using LlmCluster.Evaluation;
using Xunit;

namespace LlmCluster.Tests.Unit.Commands;

public sealed class CountProgressTests
{
    [Fact]
    public void A_log_gets_a_line_for_each_tenth()
    {
        var output = new StringWriter { NewLine = "\n" };
        using (var progress = new CountProgress(output, isTerminal: false))
        {
            foreach (int done in Enumerable.Range(1, 25))
            {
                progress.Report(new EvaluationProgress(done, 25));
            }
        }

        Assert.Equal("3 of 25\n5 of 25\n8 of 25\n10 of 25\n13 of 25\n15 of 25\n18 of 25\n20 of 25\n23 of 25\n25 of 25\n", output.ToString());
    }

    [Fact]
    public void A_terminal_gets_one_line_that_ends()
    {
        var output = new StringWriter { NewLine = "\n" };
        using (var progress = new CountProgress(output, isTerminal: true))
        {
            progress.Report(new EvaluationProgress(2, 3));
            progress.Report(new EvaluationProgress(1, 3));
            progress.Report(new EvaluationProgress(3, 3));
        }

        Assert.Equal("\r2 of 3\r3 of 3\n", output.ToString());
    }
}
