using System.Text;

namespace LlmCluster.Testing;

/// <summary>The lines that a process has written so far, with a wait for the next one that matters.</summary>
internal sealed class ProcessOutput
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly List<(Func<string, bool> Match, TaskCompletionSource<string> Found)> _waits = [];
    private bool _ended;

    public void Add(string line)
    {
        lock (_lock)
        {
            _lines.Add(line);
            for (int i = _waits.Count - 1; i >= 0; i--)
            {
                if (_waits[i].Match(line))
                {
                    _waits[i].Found.TrySetResult(line);
                    _waits.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>No line comes any more: whoever still waits gets <see cref="EndOfStreamException"/>.</summary>
    public void End()
    {
        lock (_lock)
        {
            _ended = true;
            foreach ((_, TaskCompletionSource<string> found) in _waits)
            {
                found.TrySetException(new EndOfStreamException());
            }

            _waits.Clear();
        }
    }

    public Task<string> WaitForAsync(Func<string, bool> match)
    {
        lock (_lock)
        {
            foreach (string line in _lines)
            {
                if (match(line))
                {
                    return Task.FromResult(line);
                }
            }

            if (_ended)
            {
                return Task.FromException<string>(new EndOfStreamException());
            }

            var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waits.Add((match, found));
            return found.Task;
        }
    }

    public async Task ReadAllAsync(StreamReader reader, string prefix = "")
    {
        while (await reader.ReadLineAsync() is { } line)
        {
            Add(prefix + line);
        }
    }

    public override string ToString()
    {
        lock (_lock)
        {
            return new StringBuilder().AppendJoin('\n', _lines).ToString();
        }
    }

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }
}
