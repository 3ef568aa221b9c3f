using System.Text.Json.Serialization;

namespace LlmCluster.Cluster.Redis;

/// <summary>What changes rarely of a worker: a change of it is what watchers are told of.</summary>
internal sealed record Membership(WorkerInfo Info, WorkerStatus Status);

/// <summary>How workers are written to Redis. Fields that a reader doesn't know are ignored.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Membership))]
[JsonSerializable(typeof(WorkerLoad))]
internal sealed partial class WorkerJson : JsonSerializerContext;
