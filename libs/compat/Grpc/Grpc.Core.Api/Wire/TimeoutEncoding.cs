using System.Globalization;

namespace Grpc.Core.Wire;

/// <summary>The encoding of <c>grpc-timeout</c>: up to eight digits and a unit.</summary>
internal static class TimeoutEncoding
{
    private const long MaxValue = 99_999_999;
    private const long NanosecondsPerTick = 100;

    /// <summary>The finest unit that the digits have room for, rounded up: a call never gets less than it asked for.</summary>
    public static string Encode(TimeSpan timeout)
    {
        long ticks = Math.Max(timeout.Ticks, 0);
        if (ticks <= MaxValue / NanosecondsPerTick)
        {
            return Format(ticks * NanosecondsPerTick, 'n');
        }

        ReadOnlySpan<(long Ticks, char Unit)> units =
        [
            (TimeSpan.TicksPerMicrosecond, 'u'),
            (TimeSpan.TicksPerMillisecond, 'm'),
            (TimeSpan.TicksPerSecond, 'S'),
            (TimeSpan.TicksPerMinute, 'M'),
        ];
        foreach ((long unitTicks, char unit) in units)
        {
            long value = DivideUp(ticks, unitTicks);
            if (value <= MaxValue)
            {
                return Format(value, unit);
            }
        }

        return Format(Math.Min(DivideUp(ticks, TimeSpan.TicksPerHour), MaxValue), 'H');
    }

    public static bool TryDecode(string? text, out TimeSpan timeout)
    {
        timeout = default;
        if (text is null || text.Length is < 2 or > 9
            || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out long value))
        {
            return false;
        }

        long ticksPerUnit = text[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0,
            _ => -1,
        };
        if (ticksPerUnit < 0)
        {
            return false;
        }

        timeout = TimeSpan.FromTicks(ticksPerUnit == 0 ? DivideUp(value, NanosecondsPerTick) : value * ticksPerUnit);
        return true;
    }

    private static long DivideUp(long value, long divisor) => value / divisor + (value % divisor == 0 ? 0 : 1);

    private static string Format(long value, char unit) => string.Create(CultureInfo.InvariantCulture, $"{value}{unit}");
}
