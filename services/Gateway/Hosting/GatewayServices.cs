using LlmCluster.Api.Requests;
using LlmCluster.Cluster;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Admission;
using LlmCluster.Gateway.Api;
using LlmCluster.Gateway.Dispatch;
using LlmCluster.Gateway.Models;
using LlmCluster.Gateway.Placement;
using LlmCluster.Gateway.Proxy;
using LlmCluster.Gateway.Resilience;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmCluster.Gateway.Hosting;

/// <summary>What a gateway is made of.</summary>
internal static class GatewayServices
{
    public static void AddGateway(this IServiceCollection services, GatewayOptions options, IClusterState state, ServedModel model)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton(model);
        services.AddSingleton(new RequestLimits
        {
            VocabSize = model.Settings.Config.VocabSize,
            MaxChoices = options.MaxChoices,
            MaxSequences = options.MaxSequences,
        });

        // The state belongs to the caller, hence no factory: the container disposes of what it makes only.
        services.AddSingleton(state);
        services.AddSingleton(p => new ClusterView(state, logger: p.GetRequiredService<ILogger<ClusterView>>()));
        services.AddHostedService(p => p.GetRequiredService<ClusterView>());

        services.AddSingleton<AccessRules>();
        services.AddHostedService(p => p.GetRequiredService<AccessRules>());
        services.AddSingleton<StateHealth>();
        services.AddSingleton(p => new OwnState(p.GetRequiredService<TimeProvider>()));
        services.AddSingleton(p => new SharedAccounts(state.Accounts, p.GetRequiredService<OwnState>().Accounts, p.GetRequiredService<StateHealth>()));
        services.AddSingleton<AccountCharges>();
        services.AddSingleton(options.Admission);
        services.AddSingleton(p => new FairShares(state.Accounts, p.GetRequiredService<StateHealth>(), p.GetRequiredService<ILogger<FairShares>>()));
        services.AddSingleton<AdmissionQueue>();

        services.AddHttpForwarder();
        services.AddSingleton(PlacementPolicies.Create(options.Placement));
        services.AddSingleton<StateGuard>();
        services.AddSingleton<PlacementTurns>();
        services.AddSingleton<PrefixLookup>();
        services.AddSingleton<RoomBook>();
        services.AddHostedService(p => p.GetRequiredService<RoomBook>());
        services.AddHostedService<AdmissionSignals>();
        services.AddSingleton<RequestPlacer>();
        services.AddSingleton<PrefillChannels>();
        services.AddSingleton<PrefillLeg>();
        services.AddSingleton<DecodeLeg>();
        services.AddSingleton<RequestDispatcher>();
        services.AddSingleton<ModelFacts>();
        services.AddSingleton<PromptEncoder>();

        services.AddSingleton<GenerationEndpoints>();
        services.AddSingleton<ModelEndpoints>();
        services.AddSingleton<TokenizerEndpoints>();
        services.AddSingleton<HealthEndpoints>();
        services.AddSingleton<WorkerEndpoints>();
    }

    public static void UseGateway(this WebApplication app)
    {
        app.UseMiddleware<RequestLogging>();
        app.UseMiddleware<ErrorResponses>();
        app.UseMiddleware<Authentication>();
        app.UseRouting();
        app.Services.GetRequiredService<GenerationEndpoints>().Map(app);
        app.Services.GetRequiredService<ModelEndpoints>().Map(app);
        app.Services.GetRequiredService<TokenizerEndpoints>().Map(app);
        app.Services.GetRequiredService<HealthEndpoints>().Map(app);
        app.Services.GetRequiredService<WorkerEndpoints>().Map(app);
    }
}
