namespace LlmCluster.CommandLine.Up;

/// <summary>Several services that live and end together.</summary>
/// <param name="log">Gets their output; must be safe to use from several threads.</param>
/// <param name="grace">How long each may take to end by itself.</param>
internal sealed class ChildGroup(TextWriter log, TimeSpan grace) : IAsyncDisposable
{
    private readonly List<ChildProcess> _children = [];

    /// <summary>Starts one more. Services are ended in the opposite order, those of one stage at once.</summary>
    public ChildProcess Start(string name, string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var child = ChildProcess.Start(name, file, arguments, environment, log);
        _children.Add(child);
        return child;
    }

    /// <summary>Waits until all serve.</summary>
    /// <exception cref="ChildEndedException">One ended instead.</exception>
    /// <exception cref="TimeoutException">One does not serve at the deadline; the message names it.</exception>
    public async Task WaitForReadyAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        Task all = Task.WhenAll(_children.Select(child => child.Ready));
        Task ended = WaitForEndAsync(cancellationToken);
        try
        {
            await (await Task.WhenAny(all, ended).WaitAsync(deadline, cancellationToken));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // A child that ended is never ready: the other task says which.
            await ended;
        }
        catch (TimeoutException)
        {
            IEnumerable<string> late = _children.Where(child => !child.Ready.IsCompletedSuccessfully).Select(child => $"{child.Name} (process {child.Id})");
            throw new TimeoutException($"{string.Join(", ", late)} did not get ready within {deadline.TotalSeconds:0.#} s.");
        }
    }

    /// <summary>Waits until one of them ends, which none should.</summary>
    /// <exception cref="ChildEndedException">One has ended.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled first.</exception>
    public async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        Task<int> first = await Task.WhenAny(_children.Select(child => child.Exited)).WaitAsync(cancellationToken);
        ChildProcess child = _children.First(candidate => candidate.Exited == first);
        throw new ChildEndedException(child.Name, child.Id, await first);
    }

    /// <summary>Ends all: the last stage's first, so that nothing loses what it depends on.</summary>
    /// <param name="last">Services to end before the others.</param>
    /// <returns>The names of those that had to be killed.</returns>
    public async Task<IReadOnlyList<string>> StopAsync(params ChildProcess[] last)
    {
        var killed = new List<string>();
        foreach (IEnumerable<ChildProcess> stage in new[] { last, _children.Except(last) })
        {
            ChildProcess[] children = [.. stage];
            bool[] ended = await Task.WhenAll(children.Select(child => child.StopAsync(grace)));
            killed.AddRange(children.Where((_, index) => !ended[index]).Select(child => child.Name));
        }

        return killed;
    }

    /// <summary>Ends whatever still runs, at once.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (ChildProcess child in _children)
        {
            await child.DisposeAsync();
        }
    }
}
