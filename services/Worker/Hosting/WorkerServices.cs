using LlmCluster.Cluster;
using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Execution;
using LlmCluster.Inference.KvCache;
using LlmCluster.Inference.Tokenization;
using LlmCluster.KvTransfer;
using LlmCluster.KvTransfer.Fetching;
using LlmCluster.KvTransfer.Receiving;
using LlmCluster.KvTransfer.Sending;
using LlmCluster.KvTransfer.Transports;
using LlmCluster.KvTransfer.Transports.Grpc;
using LlmCluster.Worker.Generate;
using LlmCluster.Worker.Prefilling;
using LlmCluster.Worker.Sequences;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace LlmCluster.Worker.Hosting;

/// <summary>The parts of a worker and what it serves. What the container creates it also disposes of, last made first.</summary>
internal static class WorkerServices
{
    public static void AddWorker(this IServiceCollection services, WorkerOptions options, string id, IModelRunner runner, Func<ITokenizer> tokenizer)
    {
        services.AddSingleton<IInferenceEngine>(provider =>
            new InferenceEngine(
                runner, options.Engine, provider.GetRequiredService<ILogger<InferenceEngine>>(), options.Tiers, provider.GetRequiredService<HeldBlocks>()));
        services.AddSingleton<HeldBlocks>();
        services.AddSingleton<GrpcKvTransport>();
        services.AddSingleton<IKvTransport>(provider => provider.GetRequiredService<GrpcKvTransport>());
        services.AddSingleton<TransferRate>();
        services.AddSingleton(provider => new KvReceiver(
            provider.GetRequiredService<IInferenceEngine>(), options.Receiver, logger: provider.GetRequiredService<ILogger<KvReceiver>>(), rate: provider.GetRequiredService<TransferRate>()));
        services.AddSingleton(provider => new KvSender(
            provider.GetRequiredService<IInferenceEngine>(),
            provider.GetRequiredService<IKvTransport>(),
            options.Sender,
            provider.GetRequiredService<TransferRate>(),
            provider.GetRequiredService<KvFetcher>()));
        services.AddSingleton(provider => new KvFetchServer(provider.GetRequiredService<IInferenceEngine>(), options.Fetch));
        services.AddSingleton(provider => new KvFetcher(
            provider.GetRequiredService<IInferenceEngine>(),
            provider.GetRequiredService<GrpcKvTransport>(),
            options.Fetch,
            provider.GetRequiredService<ILogger<KvFetcher>>(),
            provider.GetRequiredService<TransferRate>()));
        services.AddSingleton(provider => new WorkerStatusSource(
            options,
            id,
            provider.GetRequiredService<IInferenceEngine>(),
            provider.GetRequiredService<KvReceiver>(),
            provider.GetRequiredService<KvSender>(),
            provider.GetRequiredService<TransferRate>(),
            provider.GetRequiredService<KvFetcher>(),
            provider.GetRequiredService<KvFetchServer>()));
        services.AddSingleton<ISequenceSource, WorkerSequenceSource>();
        services.AddSingleton(_ => tokenizer());
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = GrpcKvTransport.MaxMessageBytes;
            grpc.MaxSendMessageSize = GrpcKvTransport.MaxMessageBytes;
        });
        services.Configure<HealthCheckPublisherOptions>(health => (health.Delay, health.Period) = (TimeSpan.Zero, TimeSpan.FromSeconds(1)));
        services.AddGrpcHealthChecks().AddCheck<ReadyHealthCheck>("ready");
    }

    public static void UseWorker(this WebApplication app, WorkerRole role)
    {
        app.MapStatus();
        app.MapGrpcHealthChecksService();
        app.MapGrpcService<KvFetchService>();
        if (role is WorkerRole.Prefill or WorkerRole.Mixed)
        {
            app.MapGrpcService<PrefillService>();
        }

        if (role is WorkerRole.Decode or WorkerRole.Mixed)
        {
            app.MapGrpcService<KvTransferService>();
            app.MapGenerate();
        }
    }
}
