using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Gateway.Admission;
using Xunit;
using static LlmCluster.Tests.Unit.Gateway.Admission.AdmissionWorld;

namespace LlmCluster.Tests.Unit.Gateway.Admission;

/// <summary>Service between tenants that compete, over long runs.</summary>
public sealed class FairnessTests
{
    private const int Longest = 100;

    /// <summary>
    /// While two tenants wait, what they were served, by their weights, is never further apart than what may be under way: one prompt, and an answer for each place.
    /// </summary>
    [Fact]
    public void Tenants_that_wait_are_served_by_their_weights()
    {
        Gen<(int Room, double Weight, int[] Sizes)> worlds =
            from room in Gen.Choose(1, 4)
            from weight in Gen.Elements(0.5, 1, 2, 3)
            from sizes in Gen.ArrayOf(Gen.Choose(1, Longest), 400)
            select (room, weight, sizes);
        Prop.ForAll(Arb.From(worlds), world => RunAsync(world.Room, world.Weight, world.Sizes).GetAwaiter().GetResult())
            .Check(Config.QuickThrowOnFailure.WithMaxTest(20));
    }

    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(2, 2.0 / 3)]
    public async Task A_greedy_tenant_takes_nothing_from_a_modest_one(double weight, double share)
    {
        const int Turns = 300;
        await using var world = new AdmissionWorld(room: 0);
        List<Task> all = [.. Enumerable.Range(0, Turns).Select(_ => world.AdmitAsync("greedy", Request("greedy", 10)))];

        // The modest one never has more than two requests waiting, the greedy one hundreds.
        AdmissionRequest modest = Request("modest", 10, weight);
        all.AddRange([world.AdmitAsync("modest", modest), world.AdmitAsync("modest", modest)]);
        int served = 0;
        for (int turn = 0; turn < Turns; turn++)
        {
            world.Release();
            bool isModest = await world.NextAsync() == "modest";
            world.Queue.Served(isModest ? modest : Request("greedy"), 5);
            if (isModest)
            {
                served++;
                all.Add(world.AdmitAsync("modest", modest));
            }
        }

        Assert.InRange((double)served / Turns, share - 0.02, share + 0.02);
        world.Release(2 * Turns);
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, world.Queue.Length);
    }

    [Fact]
    public async Task Idleness_earns_no_credit()
    {
        await using var world = new AdmissionWorld(room: 0);
        List<Task> all = [world.AdmitAsync("new", Request("new", 10))];
        world.Release();
        await world.NextAsync();

        // The other one is served for a long time while the first one asks for nothing.
        all.AddRange(Enumerable.Range(0, 200).Select(_ => world.AdmitAsync("old", Request("old", 10))));
        for (int i = 0; i < 100; i++)
        {
            world.Release();
            await world.NextAsync();
        }

        // It must not have the cluster for itself now until it has caught up.
        world.Time.Advance(TimeSpan.FromSeconds(1));
        all.AddRange(Enumerable.Range(0, 50).Select(_ => world.AdmitAsync("new", Request("new", 10))));
        List<string> order = [];
        for (int i = 0; i < 40; i++)
        {
            world.Release();
            order.Add(await world.NextAsync());
        }

        Assert.InRange(order.Count(name => name == "new"), 19, 21);
        world.Release(1000);
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(30));
    }

    private static async Task<bool> RunAsync(int room, double weight, int[] sizes)
    {
        await using var world = new AdmissionWorld(room: 0);
        var service = new Dictionary<string, double> { ["a"] = 0, ["b"] = 0 };
        var left = new Dictionary<string, int> { ["a"] = 0, ["b"] = 0 };
        var running = new Queue<(AdmissionRequest Request, int Output)>();
        List<Task> all = [];
        for (int i = 0; i + 1 < sizes.Length; i += 2)
        {
            string tenant = (sizes[i] + i) % 3 == 0 ? "b" : "a";
            all.Add(world.AdmitAsync($"{tenant}:{sizes[i]}:{sizes[i + 1]}", Request(tenant, sizes[i], tenant == "a" ? 1 : weight)));
            left[tenant]++;
        }

        world.Release(room);
        double bound = ((room + 1) * 2.0 * Longest + Longest) / Math.Min(weight, 1);
        while (left["a"] > 1 && left["b"] > 1)
        {
            string[] placed = (await world.NextAsync()).Split(':');
            (string tenant, int input, int output) = (placed[0], int.Parse(placed[1]), int.Parse(placed[2]));
            double own = tenant == "a" ? 1 : weight;
            left[tenant]--;
            service[tenant] += input / own;
            running.Enqueue((Request(tenant, input, own), output));
            if (Math.Abs(service["a"] - service["b"]) > bound)
            {
                return false;
            }

            if (running.Count == room)
            {
                (AdmissionRequest request, int tokens) = running.Dequeue();
                world.Queue.Served(request, tokens);
                service[request.Tenant] += 2 * tokens / request.Weight;
                world.Release();
            }
        }

        world.Release(sizes.Length);
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(30));
        return world.Queue.Length == 0;
    }
}
