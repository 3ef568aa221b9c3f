using System.Text.Json;
using System.Text.Json.Nodes;
using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Api;

/// <summary><c>/internal/workers</c>: every worker with what it last reported and what it says right now.</summary>
internal sealed class WorkerEndpoints(ClusterView view) : IDisposable
{
    /// <summary>Where workers tell their state.</summary>
    public const string StatusPath = "/internal/status";

    private static readonly TimeSpan StatusTimeout = TimeSpan.FromSeconds(2);

    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = StatusTimeout }) { Timeout = StatusTimeout };

    public void Map(IEndpointRouteBuilder routes) => routes.MapGet("/internal/workers", (Delegate)ListAsync);

    public void Dispose() => _client.Dispose();

    private async Task<IResult> ListAsync(HttpContext context)
    {
        JsonObject[] workers = await Task.WhenAll(view.Workers.Select(w => DescribeAsync(w, context.RequestAborted))).ConfigureAwait(false);
        var answer = new JsonObject { ["workers"] = new JsonArray([.. workers]) };
        return Results.Text(answer.ToJsonString(), "application/json");
    }

    private async Task<JsonObject> DescribeAsync(WorkerSnapshot worker, CancellationToken cancellationToken)
    {
        WorkerInfo info = worker.Info;
        var description = new JsonObject
        {
            ["id"] = info.Id,
            ["role"] = info.Role.ToString().ToLowerInvariant(),
            ["status"] = worker.Status.ToString().ToLowerInvariant(),
            ["model"] = info.Model,
            ["model_fingerprint"] = info.ModelFingerprint,
            ["layout_fingerprint"] = info.LayoutFingerprint,
            ["http_endpoint"] = info.HttpEndpoint.ToString(),
            ["grpc_endpoint"] = info.GrpcEndpoint.ToString(),
            ["context_length"] = info.ContextLength,
            ["block_size"] = info.BlockSize,
            ["total_blocks"] = info.TotalBlocks,
            ["reported_load"] = new JsonObject
            {
                ["running"] = worker.Load.Running,
                ["waiting"] = worker.Load.Waiting,
                ["waiting_tokens"] = worker.Load.WaitingTokens,
                ["available_blocks"] = worker.Load.AvailableBlocks,
                ["referenced_blocks"] = worker.Load.ReferencedBlocks,
                ["predicted_tokens"] = worker.Load.PredictedTokens,
                ["predicted_blocks"] = worker.Load.PredictedBlocks,
                ["prefill_rate"] = Math.Round(worker.Load.PrefillRate, 1),
                ["transfer_rate"] = Math.Round(worker.Load.TransferRate),
                ["step_time"] = Math.Round(worker.Load.StepTime, 6),
            },
            ["reserved"] = new JsonObject
            {
                ["blocks"] = worker.Reserved.Blocks,
                ["prefill_tokens"] = worker.Reserved.PrefillTokens,
                ["sequences"] = worker.Reserved.Sequences,
            },
        };
        try
        {
            byte[] live = await _client.GetByteArrayAsync(new Uri(info.HttpEndpoint, StatusPath), cancellationToken).ConfigureAwait(false);
            description["live"] = JsonNode.Parse(live);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            description["error"] = $"{info.HttpEndpoint}: {e.Message}";
        }

        return description;
    }
}
