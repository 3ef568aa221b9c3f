using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using LlmCluster.Inference.KvCache.Tiers;
using LlmCluster.Inference.Telemetry;
using LlmCluster.Testing;
using LlmCluster.Tests.Unit.KvCache.Tiers;
using Xunit;

namespace LlmCluster.Tests.Unit.Telemetry;

public class InferenceMetricsTests
{
    // Other tests count into the same meter meanwhile, so values are at least what this one does.
    [Fact]
    public async Task Every_tier_reports_what_it_does_and_holds()
    {
        ConcurrentDictionary<(string Name, string? Tier), long> values = [];
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == InferenceMetrics.MeterName)
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string? tier = null;
            foreach ((string key, object? tag) in tags)
            {
                tier = key == InferenceMetrics.TierTag ? (string?)tag : tier;
            }

            values.AddOrUpdate((instrument.Name, tier), value, (_, before) => before + value);
        });
        listener.Start();
        using var directory = new TempDirectory("metrics");
        var options = new KvTierOptions { HostBlocks = 4, DiskPath = directory.Path, WriteAhead = 1, LoadTimeout = TimeSpan.FromSeconds(60) };
        using var world = new TierWorld(4, options);
        for (int i = 0; i < 3; i++)
        {
            await world.VisitAsync((10 * i) + 1, (10 * i) + 2, (10 * i) + 3, (10 * i) + 4);
            await world.UntilReleasedAsync();
            int written = 2 * (i + 1);
            await Eventually.TrueAsync(() => world.Disk.UsedBlocks >= written, TierWorld.Deadline, () => $"{world.Tiers.Status}");
        }

        listener.RecordObservableInstruments();
        KvTierStatus status = world.Tiers.Status;
        AssertAtLeast(status.Device.Misses, "misses", "device");
        AssertAtLeast(status.Host.Misses, "misses", "host");
        AssertAtLeast(status.Host.WriteBacks + status.Host.SynchronousWrites, "demotions", "host");
        AssertAtLeast(status.Disk!.WriteBacks, "demotions", "disk");
        AssertAtLeast(status.Disk.WrittenBytes, "written", "disk");
        AssertAtLeast(1, "used_blocks", "device");
        AssertAtLeast(1, "used_blocks", "host");
        AssertAtLeast(1, "used", "disk");

        void AssertAtLeast(long least, string name, string tier)
        {
            long value = values.GetValueOrDefault(($"llmcluster.kv_cache.tier.{name}", tier));
            Assert.True(least > 0 && value >= least, $"{name} of {tier}: {value}, at least {least} expected");
        }
    }
}
