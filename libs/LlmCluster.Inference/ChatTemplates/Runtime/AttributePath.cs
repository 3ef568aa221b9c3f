using System.Globalization;

namespace LlmCluster.Inference.ChatTemplates.Runtime;

/// <summary>The <c>attribute</c> argument of filters: an index, or names and indices with dots between them.</summary>
internal static class AttributePath
{
    public static object? Get(RenderState state, object? value, object? path)
    {
        if (path is not string text)
        {
            return Lookup.Item(state, value, path);
        }

        foreach (string part in text.Split('.'))
        {
            value = long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
                ? Lookup.Item(state, value, index)
                : Lookup.Item(state, value, part);
        }

        return value;
    }
}
