using System.Globalization;

namespace LlmCluster.Cluster.Redis;

/// <summary>A parsed <see cref="RedisOptions.Url"/>. As text it is the address without the password.</summary>
internal sealed record RedisAddress(string Host, int Port, bool Tls, int Database, string? Password)
{
    private const int DefaultPort = 6379;

    /// <exception cref="ArgumentException">The URL can't be understood; the message never holds the password.</exception>
    public static RedisAddress Parse(string url)
    {
        if (string.IsNullOrWhiteSpace(url))
        {
            throw Refuse("it is empty");
        }

        string text = url.Contains("://", StringComparison.Ordinal) ? url : $"redis://{url}";
        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) || uri.Host.Length == 0)
        {
            throw Refuse("it is no URL");
        }

        if (uri.Scheme is not ("redis" or "rediss"))
        {
            throw Refuse($"its scheme is '{uri.Scheme}'");
        }

        if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
        {
            throw Refuse("it has a query or a fragment");
        }

        return new RedisAddress(
            uri.IdnHost.Trim('[', ']'),
            uri.IsDefaultPort || uri.Port < 0 ? DefaultPort : uri.Port,
            uri.Scheme == "rediss",
            ParseDatabase(uri.AbsolutePath),
            ParsePassword(uri.UserInfo));
    }

    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    private static int ParseDatabase(string path)
    {
        string number = path.Trim('/');
        if (number.Length == 0)
        {
            return 0;
        }

        return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int database)
            ? database
            : throw Refuse($"'{number}' is no database number");
    }

    private static string? ParsePassword(string userInfo)
    {
        if (userInfo.Length == 0)
        {
            return null;
        }

        int colon = userInfo.IndexOf(':');
        string user = colon < 0 ? userInfo : userInfo[..colon];
        if (colon < 0 || (user.Length > 0 && user != "default"))
        {
            // Without a colon this may be a password, so it is not repeated.
            throw Refuse("before the '@' stands something other than ':password' or 'default:password'");
        }

        return Uri.UnescapeDataString(userInfo[(colon + 1)..]);
    }

    private static ArgumentException Refuse(string why) =>
        new($"The Redis URL can't be used: {why}. Expected redis://[:password@]host[:port][/database], rediss://... for TLS, or host:port.");
}
