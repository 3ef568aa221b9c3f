using LlmCluster.Gateway.Placement;

namespace LlmCluster.Gateway.Dispatch;

/// <summary>A request that has its place, and room there.</summary>
/// <param name="Placement">Where it runs.</param>
/// <param name="Facts">What the policy knew of it.</param>
/// <param name="Room">The room; to be disposed of when the request has ended.</param>
internal sealed record PlacedRequest(RequestPlacement Placement, PlacementRequest Facts, RoomLease Room);
