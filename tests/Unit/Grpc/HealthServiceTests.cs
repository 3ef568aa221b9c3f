using Grpc.Core;
using Grpc.Health.V1;
using LlmCluster.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;
using ServingStatus = Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus;

namespace LlmCluster.Tests.Unit.Grpc;

public sealed class HealthServiceTests
{
    [Fact]
    public async Task Check_tells_the_server_s_health_now()
    {
        var health = new Box(HealthStatus.Healthy);
        await using GrpcTestServer server = await StartAsync(health);
        var client = new Health.HealthClient(server.Channel);
        Assert.Equal(ServingStatus.Serving, (await client.CheckAsync(new HealthCheckRequest())).Status);
        Assert.Equal(ServingStatus.Unknown, (await client.CheckAsync(new HealthCheckRequest { Service = "nothing" })).Status);
        health.Status = HealthStatus.Degraded;
        Assert.Equal(ServingStatus.Serving, (await client.CheckAsync(new HealthCheckRequest { Service = "engine" })).Status);
        health.Status = HealthStatus.Unhealthy;
        Assert.Equal(ServingStatus.NotServing, (await client.CheckAsync(new HealthCheckRequest())).Status);
        RpcException exception = await Assert.ThrowsAsync<RpcException>(
            () => client.CheckAsync(new HealthCheckRequest { Service = "other" }).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, exception.StatusCode);
    }

    [Fact]
    public async Task Watch_tells_the_health_and_its_changes()
    {
        var health = new Box(HealthStatus.Healthy);
        await using GrpcTestServer server = await StartAsync(health);
        var client = new Health.HealthClient(server.Channel);
        using AsyncServerStreamingCall<HealthCheckResponse> watch = client.Watch(new HealthCheckRequest());
        Assert.Equal(ServingStatus.Serving, await NextAsync(watch));
        health.Status = HealthStatus.Unhealthy;
        Assert.Equal(ServingStatus.NotServing, await NextAsync(watch));
        health.Status = HealthStatus.Healthy;
        Assert.Equal(ServingStatus.Serving, await NextAsync(watch));
        using AsyncServerStreamingCall<HealthCheckResponse> unknown = client.Watch(new HealthCheckRequest { Service = "other" });
        Assert.Equal(ServingStatus.ServiceUnknown, await NextAsync(unknown));

        // A server that stops says so and lets go of those who watch.
        ValueTask stopping = server.StopAsync();
        Assert.Equal(ServingStatus.NotServing, await NextAsync(watch));
        Assert.False(await watch.ResponseStream.MoveNext());
        await stopping;
    }

    private static async Task<ServingStatus> NextAsync(AsyncServerStreamingCall<HealthCheckResponse> watch)
    {
        Assert.True(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Eventually.DefaultDeadline));
        return watch.ResponseStream.Current.Status;
    }

    private static Task<GrpcTestServer> StartAsync(Box health) => GrpcTestServer.StartAsync(
        app => app.MapGrpcHealthChecksService(),
        services: services =>
        {
            services.AddGrpcHealthChecks(options =>
            {
                options.Services.Map("engine", check => check.Tags.Contains("engine"));
                options.Services.Map("nothing", _ => false);
            }).AddCheck("engine", () => new HealthCheckResult(health.Status), ["engine"]);
            services.Configure<HealthCheckPublisherOptions>(options =>
            {
                options.Delay = TimeSpan.Zero;
                options.Period = TimeSpan.FromSeconds(1);
            });
        });

    private sealed class Box(HealthStatus status)
    {
        public volatile HealthStatus Status = status;
    }
}
