using System.CommandLine;
using LlmCluster.CommandLine.Commands;

var root = new RootCommand("Serves large language models with prefill and decode on different workers.")
{
    BenchCommand.Create(),
    ModelCommand.Create(),
    TestCommand.Create(),
    TokenizeCommand.Create(),
};

return await root.Parse(args).InvokeAsync();
