using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace LlmCluster.Gateway.Access;

/// <summary>Reads classes and keys. A misspelt name is an error: a limit that nobody reads would be no limit.</summary>
internal static class AccessReader
{
    /// <summary>Those of a file: <c>{"Classes": {...}, "Keys": [...]}</c>.</summary>
    /// <param name="json">The file's content.</param>
    /// <param name="file">The file's name, for messages.</param>
    /// <exception cref="GatewayOptionsException">It is no JSON, has a wrong value, or no keys.</exception>
    public static AccessOptions ReadFile(byte[] json, string file)
    {
        string at = $"{GatewayOptions.Section}:{nameof(GatewayOptions.KeysFile)} '{file}': ";
        IConfigurationRoot root;
        try
        {
            root = new ConfigurationBuilder().AddJsonStream(new MemoryStream(json, writable: false)).Build();
        }
        catch (Exception e) when (e is FormatException or InvalidDataException or System.Text.Json.JsonException)
        {
            throw new GatewayOptionsException($"{at}no JSON that can be read: {(e.InnerException ?? e).Message}", e);
        }

        RefuseUnknown<AccessOptions>(root, at);
        AccessOptions options = Read(root, at);
        options.Validate(at);

        // An empty file must not open the gateway to everyone.
        return options.Keys.Count > 0 ? options : throw new GatewayOptionsException($"{at}it holds no keys; expected at least one under 'Keys'.");
    }

    /// <summary>Those of a section.</summary>
    /// <param name="section">What holds <c>Classes</c> and <c>Keys</c>.</param>
    /// <param name="at">What names of keys begin with in messages.</param>
    /// <exception cref="GatewayOptionsException">A name is unknown, or a value has the wrong type.</exception>
    public static AccessOptions Read(IConfiguration section, string at)
    {
        IConfigurationSection[] classes = [.. section.GetSection(nameof(AccessOptions.Classes)).GetChildren()];
        IConfigurationSection[] keys = [.. section.GetSection(nameof(AccessOptions.Keys)).GetChildren()];
        return new AccessOptions
        {
            Classes = classes.ToDictionary(one => one.Key, one => Read<ClassOptions>(one, $"{at}Classes:{one.Key}:"), StringComparer.OrdinalIgnoreCase),
            Keys = [.. keys.Select(one => Read<KeyOptions>(one, $"{at}Keys:{one.Key}:"))],
        };
    }

    private static T Read<T>(IConfigurationSection section, string at)
        where T : new()
    {
        RefuseUnknown<T>(section, at);
        try
        {
            return section.Get<T>() ?? new T();
        }
        catch (InvalidOperationException e)
        {
            throw new GatewayOptionsException($"{at} {e.Message}{(e.InnerException is { } inner ? $" {inner.Message}" : "")}", e);
        }
    }

    private static void RefuseUnknown<T>(IConfiguration section, string at)
    {
        string[] known = [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite).Select(p => p.Name)];
        if (section.GetChildren().FirstOrDefault(child => !known.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) is { } unknown)
        {
            throw new GatewayOptionsException($"{at}{unknown.Key} is unknown; expected one of {string.Join(", ", known)}.");
        }
    }
}
