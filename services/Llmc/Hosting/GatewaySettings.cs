using LlmCluster.Gateway.Placement;

namespace LlmCluster.CommandLine.Hosting;

/// <summary>Options of a gateway that <c>llmc up</c> takes as well and hands on.</summary>
internal static class GatewaySettings
{
    /// <summary>Adds the choice of a placement policy.</summary>
    public static void AddPlacement(ServiceSettings settings) => settings.AddChoice(
        "--placement", "Gateway:Placement", $"Which workers serve a request. [default: {PlacementPolicies.Default}]", [.. PlacementPolicies.Names]);

    /// <summary>Adds the file of API keys.</summary>
    public static void AddKeys(ServiceSettings settings) => settings.Add<string?>(
        "--keys", "Gateway:KeysFile", "JSON file of API keys with their tenants, classes and limits; read again when it changes. [default: none, everyone may ask]", "FILE");
}
