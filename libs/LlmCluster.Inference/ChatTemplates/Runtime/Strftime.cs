using System.Globalization;
using System.Text;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>C's <c>strftime</c> in English; <c>%-d</c> and its like leave leading zeros out.</summary>
internal static class Strftime
{
    public static string Format(RenderState state, string format, DateTimeOffset time)
    {
        var text = new StringBuilder();
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            bool plain = format[i + 1] == '-' && i + 2 < format.Length;
            i += plain ? 2 : 1;
            string field = Field(state, format[i], time);
            if (plain)
            {
                field = field.TrimStart('0');
                field = field.Length == 0 ? "0" : field;
            }

            text.Append(field);
        }

        return text.ToString();
    }

    private static string Field(RenderState state, char directive, DateTimeOffset time)
    {
        string Net(string format) => time.ToString(format, CultureInfo.InvariantCulture);
        return directive switch
        {
            'Y' => Net("yyyy"),
            'y' => Net("yy"),
            'm' => Net("MM"),
            'd' => Net("dd"),
            'e' => time.Day.ToString(CultureInfo.InvariantCulture).PadLeft(2),
            'B' => Net("MMMM"),
            'b' or 'h' => Net("MMM"),
            'A' => Net("dddd"),
            'a' => Net("ddd"),
            'H' => Net("HH"),
            'I' => Net("hh"),
            'M' => Net("mm"),
            'S' => Net("ss"),
            'f' => Net("ffffff"),
            'p' => time.Hour < 12 ? "AM" : "PM",
            'j' => time.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
            'u' => (((int)time.DayOfWeek + 6) % 7 + 1).ToString(CultureInfo.InvariantCulture),
            'w' => ((int)time.DayOfWeek).ToString(CultureInfo.InvariantCulture),
            's' => time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            'F' => Net("yyyy-MM-dd"),
            'T' or 'X' => Net("HH:mm:ss"),
            'R' => Net("HH:mm"),
            'D' or 'x' => Net("MM'/'dd'/'yy"),
            'c' => Net("ddd MMM ") + Field(state, 'e', time) + Net(" HH:mm:ss yyyy"),

            // Python's time without a zone, which is what templates get, has neither name nor offset.
            'z' or 'Z' => "",
            'n' => "\n",
            't' => "\t",
            '%' => "%",
            _ => throw state.Error($"strftime_now does not know %{directive}."),
        };
    }
}
