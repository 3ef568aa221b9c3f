using LlmCluster.Api.Errors;
using LlmCluster.Api.Requests;

namespace LlmCluster.Gateway.Models;

/// <summary>Turns conversations into prompts.</summary>
internal interface IChatPromptRenderer
{
    /// <summary>The prompt's text.</summary>
    /// <exception cref="ApiException">The template refuses the messages.</exception>
    string Render(ChatPrompt prompt);
}
