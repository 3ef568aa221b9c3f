using System.CommandLine;
using LlmCluster.CommandLine.Commands;
using LlmCluster.CommandLine.Hosting;

var root = new RootCommand("Serves large language models with prefill and decode on different workers.")
{
    UpCommand.Create(),
    GatewayCommand.Create(),
    WorkerCommand.Create(),
    BenchCommand.Create(),
    ModelCommand.Create(),
    TestCommand.Create(),
    TokenizeCommand.Create(),
};

return await CommandRunner.RunAsync(root, args);
