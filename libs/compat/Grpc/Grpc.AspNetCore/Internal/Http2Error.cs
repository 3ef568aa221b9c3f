namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Error codes of HTTP/2 resets (RFC 9113, section 7).</summary>
internal static class Http2Error
{
    public const int Internal = 0x2;
    public const int Cancel = 0x8;
}
