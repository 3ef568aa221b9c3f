using System.CommandLine;

var root = new RootCommand("Serves large language models with prefill and decode on different workers.")
{
};

return await root.Parse(args).InvokeAsync();
