using Grpc.Core;

namespace LlmCluster.Tests.Unit.Grpc;

/// <summary>What the handlers of a <see cref="ScriptedService"/> do in one test.</summary>
internal sealed class Script
{
    public Func<Blob, ServerCallContext, Task<Blob>> Unary { get; set; } = (request, _) => Task.FromResult(request);

    public Func<IAsyncStreamReader<Blob>, ServerCallContext, Task<Blob>> Collect { get; set; } =
        (_, _) => Task.FromResult(new Blob([]));

    public Func<Blob, IServerStreamWriter<Blob>, ServerCallContext, Task> Repeat { get; set; } = (_, _, _) => Task.CompletedTask;

    public Func<IAsyncStreamReader<Blob>, IServerStreamWriter<Blob>, ServerCallContext, Task> Echo { get; set; } =
        (_, _, _) => Task.CompletedTask;

    /// <summary>Service objects made and not yet disposed.</summary>
    public int Alive;
}

/// <summary>A service whose handlers each test writes itself. Made for each call, and disposed after it.</summary>
internal sealed class ScriptedService : BytesServiceBase, IAsyncDisposable
{
    private readonly Script _script;

    public ScriptedService(Script script)
    {
        _script = script;
        Interlocked.Increment(ref script.Alive);
    }

    public override Task<Blob> Unary(Blob request, ServerCallContext context) => _script.Unary(request, context);

    public override Task<Blob> UnaryUnannounced(Blob request, ServerCallContext context) => _script.Unary(request, context);

    public override Task<Blob> UnaryArrays(Blob request, ServerCallContext context) => _script.Unary(request, context);

    public override Task<Blob> Collect(IAsyncStreamReader<Blob> requests, ServerCallContext context) => _script.Collect(requests, context);

    public override Task Repeat(Blob request, IServerStreamWriter<Blob> responses, ServerCallContext context) =>
        _script.Repeat(request, responses, context);

    public override Task Echo(IAsyncStreamReader<Blob> requests, IServerStreamWriter<Blob> responses, ServerCallContext context) =>
        _script.Echo(requests, responses, context);

    public ValueTask DisposeAsync()
    {
        Interlocked.Decrement(ref _script.Alive);
        return ValueTask.CompletedTask;
    }
}
