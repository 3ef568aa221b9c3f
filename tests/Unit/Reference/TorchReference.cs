using System.Text.Json;
using LlmCluster.Inference.Models.Synthetic;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Reference;

/// <summary>What the reference makes of one prompt; the fields of its answer.</summary>
internal sealed record ReferenceResult(float[][] Logits, int[] Tokens, float[] Margins);

/// <summary>Writes the checkpoints of all cases and runs the reference on them, in one process.</summary>
public sealed class TorchReference : IAsyncLifetime
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly TempDirectory _folder = new("reference");
    private readonly Dictionary<string, ReferenceResult[]> _results = [];

    public async ValueTask InitializeAsync()
    {
        var requests = new List<string>();
        foreach (ReferenceCase reference in ReferenceCase.All)
        {
            RandomCheckpoint.Write(
                reference.Config,
                seed: 17,
                DirectoryOf(reference),
                new RandomCheckpointOptions { Dtype = reference.Dtype, MaxShardBytes = reference.MaxShardBytes });
            requests.Add(JsonSerializer.Serialize(
                new Request(DirectoryOf(reference), reference.Prompts(), reference.NewTokens, reference.LogitRows), Json));
        }

        ScriptResult output = await PythonScript.RunAsync(
            Path.Combine("tests", "Unit", "Reference", "reference.py"),
            input: string.Join('\n', requests) + "\n",
            deadline: TimeSpan.FromMinutes(8));
        Assert.Equal(requests.Count, output.Lines.Length);
        foreach ((ReferenceCase reference, string line) in ReferenceCase.All.Zip(output.Lines))
        {
            _results.Add(reference.Name, JsonSerializer.Deserialize<Response>(line, Json)!.Results);
        }
    }

    public ValueTask DisposeAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }

    internal string DirectoryOf(ReferenceCase reference) => _folder.Combine(reference.Name);

    internal ReferenceResult[] ResultsOf(ReferenceCase reference) => _results[reference.Name];

    private sealed record Request(string Checkpoint, int[][] Prompts, int NewTokens, int LogitRows);

    private sealed record Response(ReferenceResult[] Results);
}
