using System.Runtime.CompilerServices;
using System.Text;
using LlmCluster.Inference.ChatTemplates.Nodes;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>One rendering: its output, its line, and what is left of its limits.</summary>
internal sealed class RenderState(ChatTemplateLimits limits, TimeProvider clock)
{
    // Templates of real models take a few KiB.
    private const int MaxStackBytes = 512 << 10;

    private long _steps;
    private long _produced;

    // Address on the stack where the outermost check was.
    private nint _stack;

    /// <summary>Where output goes: to the result, or to the block that is being captured.</summary>
    public StringBuilder Output { get; private set; } = new();

    /// <summary>The line that is being evaluated, for errors.</summary>
    public int Line { get; set; } = 1;

    public TimeProvider Clock => clock;

    /// <summary>Counts an evaluation.</summary>
    public void Step(int line)
    {
        Line = line;
        if (++_steps > limits.MaxSteps)
        {
            throw Error($"rendering takes more than {limits.MaxSteps} steps.");
        }
    }

    /// <summary>Counts characters or elements that are about to be made.</summary>
    public void Produce(long count)
    {
        _produced += count;
        if (_produced > limits.MaxProduced)
        {
            throw Error($"rendering makes more than {limits.MaxProduced} characters and elements.");
        }
    }

    /// <summary>Counts characters that are about to be looked at; that costs less than making them.</summary>
    public void Scan(long count) => Produce(count / 16);

    /// <summary>Counts what was made of a text, if it is not that text itself.</summary>
    public object? Made(string source, object? result)
    {
        Produce(result switch
        {
            string text => ReferenceEquals(text, source) ? 0 : text.Length,
            List<object?> or object?[] => source.Length,
            _ => 0,
        });
        return result;
    }

    public void Write(string text)
    {
        Produce(text.Length);
        Output.Append(text);
    }

    /// <summary>Executes a block and returns what it writes.</summary>
    public string Capture(Block body, Scope scope)
    {
        var outer = Output;
        Output = new StringBuilder();
        try
        {
            body.Execute(scope);
            return Output.ToString();
        }
        finally
        {
            Output = outer;
        }
    }

    /// <summary>
    /// Refuses to go deeper than some stack allows, or when little of the thread's is left: endless recursion ends in an error, not in a crash, and does so
    /// on a thread with a large stack, too.
    /// </summary>
    public unsafe void RequireStack()
    {
        byte here;
        _stack = _stack == 0 ? (nint)(&here) : _stack;
        nint used = Math.Abs((nint)(&here) - _stack);
        if (used > MaxStackBytes || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Error("calls or values are nested too deeply.");
        }
    }

    public ChatTemplateException Error(string message) => new(Line, message);
}
