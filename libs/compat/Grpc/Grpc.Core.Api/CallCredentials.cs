namespace Grpc.Core;

/// <summary>Credentials of one call. The stand-in defines the type for its place in signatures and makes none.</summary>
public abstract class CallCredentials
{
    private protected CallCredentials()
    {
    }
}
