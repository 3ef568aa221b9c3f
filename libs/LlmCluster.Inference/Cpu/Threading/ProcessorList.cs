using System.Globalization;

namespace LlmCluster.Inference.Cpu.Threading;

/// <summary>Processors as Linux writes them: numbers and ranges, for example <c>0-3,8</c>.</summary>
public static class ProcessorList
{
    /// <summary>The highest number that is accepted.</summary>
    internal const int Highest = 8191;

    /// <summary>Reads a list.</summary>
    /// <returns>The processors in the order in which they stand there.</returns>
    /// <exception cref="ArgumentException">The text is no such list, or names a processor twice.</exception>
    public static int[] Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var processors = new List<int>();
        foreach (string item in text.Split(','))
        {
            string[] ends = item.Split('-');
            int first = Number(ends[0]);
            int last = ends.Length == 1 ? first : ends.Length == 2 ? Number(ends[1]) : -1;
            if (first < 0 || last < first)
            {
                throw new ArgumentException($"'{text}' is no list of processors: '{item}' is neither a number up to {Highest} nor a range; expected something like 0-3,8.");
            }

            for (int processor = first; processor <= last; processor++)
            {
                if (processors.Contains(processor))
                {
                    throw new ArgumentException($"'{text}' names processor {processor} twice.");
                }

                processors.Add(processor);
            }
        }

        return [.. processors];
    }

    /// <summary>Writes a list, with commas alone.</summary>
    public static string Format(IEnumerable<int> processors) =>
        string.Join(',', processors.Select(processor => processor.ToString(CultureInfo.InvariantCulture)));

    // -1 for what is no number.
    private static int Number(string text) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= Highest ? number : -1;
}
