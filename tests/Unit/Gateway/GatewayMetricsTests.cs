using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Telemetry;
using LlmCluster.Tests.Unit.Gateway.Admission;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway;

public sealed class GatewayMetricsTests
{
    [Fact]
    public async Task Tells_who_waits_how_long_and_who_was_refused()
    {
        // Other tests' gateways are in this process as well: a class of its own tells them apart.
        string name = Guid.NewGuid().ToString("N");
        ServiceClass one = AdmissionWorld.Class(name, maxQueued: 1);
        var seen = new ConcurrentQueue<(string Instrument, double Value, string? Reason)>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == GatewayMetrics.MeterName)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.Start();

        await using var world = new AdmissionWorld(room: 0);
        Task<string> waits = world.AdmitAsync("waits", AdmissionWorld.Request(@class: one));
        await AdmissionWorld.ErrorAsync(world.AdmitAsync("refused", AdmissionWorld.Request(@class: one)));
        listener.RecordObservableInstruments();
        world.Time.Advance(TimeSpan.FromSeconds(3));
        world.Release();
        await waits.WaitAsync(TimeSpan.FromSeconds(30));
        listener.RecordObservableInstruments();

        Assert.Equal(
            [
                ("llmcluster.gateway.requests.rejected", 1, "queue_full"),
                ("llmcluster.gateway.queue.length", 1, null),
                ("llmcluster.gateway.queue.wait", 3, null),
                ("llmcluster.gateway.queue.length", 0, null),
            ],
            seen);

        void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = new Dictionary<string, object?>(tags.ToArray());
            if (all.GetValueOrDefault(GatewayMetrics.ClassTag) as string == name)
            {
                seen.Enqueue((instrument.Name, value, all.GetValueOrDefault(GatewayMetrics.ReasonTag) as string));
            }
        }
    }
}
