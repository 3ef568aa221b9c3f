namespace LlmCluster.Bench.Routing;

/// <summary>The median of the last outputs of a worker.</summary>
internal sealed class RecentMedian
{
    private const int Most = 200;

    private readonly Queue<int> _outputs = new();
    private int? _median;

    /// <summary>The median in tokens; 0 before there was any output.</summary>
    public int Median => _median ??= _outputs.Count == 0 ? 0 : _outputs.Order().ElementAt(_outputs.Count / 2);

    /// <summary>Adds an output.</summary>
    public void Add(int tokens)
    {
        if (_outputs.Count == Most)
        {
            _outputs.Dequeue();
        }

        _outputs.Enqueue(tokens);
        _median = null;
    }
}
