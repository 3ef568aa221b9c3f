using LlmCluster.Gateway.Access;

namespace LlmCluster.Gateway.Admission;

/// <summary>What the queue knows of a request.</summary>
/// <param name="Tenant">Whose request it is; empty where that is not known.</param>
/// <param name="Weight">The tenant's weight against others.</param>
/// <param name="Class">Its class.</param>
/// <param name="Priority">Less is sooner.</param>
/// <param name="PromptTokens">Tokens of all prompts.</param>
internal sealed record AdmissionRequest(string Tenant, double Weight, ServiceClass Class, int Priority, int PromptTokens);
