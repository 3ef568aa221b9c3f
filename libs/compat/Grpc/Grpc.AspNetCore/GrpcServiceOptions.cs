using Grpc.Core.Wire;

namespace Grpc.AspNetCore.Server;

/// <summary>What holds for every gRPC service of an app.</summary>
public class GrpcServiceOptions
{
    /// <summary>Largest response message in bytes; null for no limit.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>Largest request message in bytes; null for no limit. 4 MiB by default.</summary>
    public int? MaxReceiveMessageSize { get; set; } = MessageFraming.DefaultMaxReceiveMessageSize;

    /// <summary>Whether clients are told type and message of an exception that a handler throws.</summary>
    public bool? EnableDetailedErrors { get; set; }
}
