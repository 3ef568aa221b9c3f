namespace Grpc.Net.Client.Internal;

/// <summary>How the client introduces itself.</summary>
internal static class UserAgent
{
    public static readonly string Value = $"grpc-dotnet-standin/{typeof(UserAgent).Assembly.GetName().Version?.ToString(3)} (.NET {Environment.Version})";
}
