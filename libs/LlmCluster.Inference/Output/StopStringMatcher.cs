namespace LlmCluster.Inference.Output;

/// <summary>
/// Looks for stop strings in a text that grows. The first one to become complete wins, and of several that become
/// complete with the same character the longest; so the result does not depend on how the text is cut into pieces.
/// </summary>
/// <remarks>
/// One Knuth-Morris-Pratt automaton per stop string. Its state is the length of the longest suffix of the text that
/// begins the stop string, which is also how much text must be held back.
/// </remarks>
internal sealed class StopStringMatcher
{
    private readonly string[] _stops;
    private readonly int[][] _failures;
    private readonly int[] _states;

    public StopStringMatcher(IReadOnlyList<string> stops)
    {
        _stops = [.. stops];
        if (Array.Exists(_stops, string.IsNullOrEmpty))
        {
            throw new ArgumentException("A stop string is empty.", nameof(stops));
        }

        _failures = Array.ConvertAll(_stops, FailureFunction);
        _states = new int[_stops.Length];
    }

    /// <summary>How many of the last characters may yet become part of a stop string.</summary>
    public int Held { get; private set; }

    /// <summary>Adds a character.</summary>
    /// <returns>The stop string that it completes, or null.</returns>
    public string? Append(char next)
    {
        string? match = null;
        Held = 0;
        for (int i = 0; i < _stops.Length; i++)
        {
            string stop = _stops[i];
            int[] failure = _failures[i];
            int state = _states[i];
            while (state > 0 && stop[state] != next)
            {
                state = failure[state - 1];
            }

            state += stop[state] == next ? 1 : 0;
            if (state == stop.Length)
            {
                match = match is null || stop.Length > match.Length ? stop : match;
                state = failure[state - 1];
            }

            _states[i] = state;
            Held = Math.Max(Held, state);
        }

        return match;
    }

    // Element i: length of the longest proper prefix of stop[..(i + 1)] that is also its suffix.
    private static int[] FailureFunction(string stop)
    {
        var failure = new int[stop.Length];
        int length = 0;
        for (int i = 1; i < stop.Length; i++)
        {
            while (length > 0 && stop[i] != stop[length])
            {
                length = failure[length - 1];
            }

            length += stop[i] == stop[length] ? 1 : 0;
            failure[i] = length;
        }

        return failure;
    }
}
