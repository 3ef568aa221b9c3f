using LlmCluster.Inference.Cpu;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Models;
using Xunit;

namespace LlmCluster.Tests.Unit.Reference;

/// <summary>The CPU backend agrees with an independent implementation in PyTorch, in every architecture and instruction set.</summary>
public sealed class TorchReferenceTests(TorchReference torch) : IClassFixture<TorchReference>
{
    /// <summary>
    /// Largest difference of a logit, as a share of the row's largest absolute logit. Rounding alone makes about 3e-6 of
    /// it; what is promised is 1e-3.
    /// </summary>
    private const float Tolerance = 1e-4f;

    public static TheoryData<string, CpuIsa, WeightDtype> Cases()
    {
        var data = new TheoryData<string, CpuIsa, WeightDtype>();
        foreach (ReferenceCase reference in ReferenceCase.All)
        {
            foreach (CpuIsa isa in Enum.GetValues<CpuIsa>().Where(CpuIsaSupport.IsSupported))
            {
                data.Add(reference.Name, isa, WeightDtype.F32);
                if (reference.Dtype == TensorDtype.BF16)
                {
                    // BF16 weights lose nothing either when they are packed as they are.
                    data.Add(reference.Name, isa, WeightDtype.BF16);
                }
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void LogitsAndGreedyTokensAgree(string name, CpuIsa isa, WeightDtype weights)
    {
        ReferenceCase reference = ReferenceCase.All.Single(c => c.Name == name);
        ReferenceResult[] expected = torch.ResultsOf(reference);
        int[][] prompts = reference.Prompts();
        using Checkpoint checkpoint = Checkpoint.Open(torch.DirectoryOf(reference));
        var options = new CpuOptions { Threads = 2, Isa = isa, Weights = weights, Kv = KvDtype.F32 };
        using CpuModel model = CpuModel.Load(checkpoint, options);
        using var runner = new CpuModelRunner(model, RunnerDriver.BlocksFor(prompts, reference.NewTokens, options.BlockSize));
        var driver = new RunnerDriver(runner, prompts, reference.NewTokens);

        float[][][] logits = driver.Prefill();
        int[][] tokens = driver.Decode(logits, reference.NewTokens);

        float worst = 0;
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.Equal(Math.Min(prompts[i].Length, reference.LogitRows), expected[i].Logits.Length);
            float[][] compared = logits[i][^expected[i].Logits.Length..];
            for (int row = 0; row < compared.Length; row++)
            {
                float[] wanted = expected[i].Logits[row];
                Assert.Equal(wanted.Length, compared[row].Length);
                float largest = wanted.Max(MathF.Abs);
                float difference = wanted.Zip(compared[row], (a, b) => MathF.Abs(a - b)).Max();
                Assert.True(
                    difference <= Tolerance * largest,
                    $"Prompt {i}, row {row}: a logit differs by {difference}; the largest is {largest}.");
                worst = MathF.Max(worst, difference / largest);
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"largest difference: {worst:E1} of the largest logit");
        for (int i = 0; i < prompts.Length; i++)
        {
            int same = tokens[i].AsSpan().CommonPrefixLength(expected[i].Tokens);
            Assert.True(
                same == reference.NewTokens,
                $"Prompt {i}: token {same} differs; the reference's led by {(same < reference.NewTokens ? expected[i].Margins[same] : 0)} of the largest logit.");
        }
    }

    [Fact]
    public void TheReferenceGeneratesVariedTokens()
    {
        // Or else equal tokens would say little.
        foreach (ReferenceCase reference in ReferenceCase.All)
        {
            int distinct = torch.ResultsOf(reference).SelectMany(result => result.Tokens).Distinct().Count();
            Assert.True(distinct >= reference.NewTokens / 2, $"{reference.Name}: {distinct} distinct tokens");
        }
    }
}
