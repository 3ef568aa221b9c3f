using LlmCluster.Inference.Tokenization.Loading;
using LlmCluster.Inference.Tokenization.PreTokenizers;

namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>Builds decoders from <c>tokenizer.json</c>.</summary>
internal static class DecoderFactory
{
    private const string Known = "Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace and Metaspace";

    /// <summary>Builds the decoders of a file.</summary>
    /// <param name="json">The member <c>decoder</c>, or none.</param>
    public static DecoderPipeline Create(JsonCursor? json)
    {
        if (json is not { } cursor)
        {
            return new DecoderPipeline([new JoinDecoder()]);
        }

        var decoders = new List<ITokenDecoder>();
        Add(cursor, decoders);
        return new DecoderPipeline(decoders);
    }

    private static void Add(JsonCursor json, List<ITokenDecoder> decoders)
    {
        string type = json.Required("type").GetString();
        switch (type)
        {
            case "Sequence":
                foreach (var item in json.Required("decoders").Items())
                {
                    Add(item, decoders);
                }

                break;

            case "ByteLevel":
                decoders.Add(new ByteLevelDecoder());
                break;

            case "ByteFallback":
                decoders.Add(new ByteFallbackDecoder());
                break;

            case "Fuse":
                decoders.Add(new FuseDecoder());
                break;

            case "Strip":
                decoders.Add(new StripDecoder(json.GetChar("content", ' '), json.GetInt32("start", 0), json.GetInt32("stop", 0)));
                break;

            case "Replace":
                decoders.Add(new ReplaceDecoder(
                    PatternFactory.Create(json.Required("pattern")), json.Required("content").GetString()));
                break;

            case "Metaspace":
                decoders.Add(new MetaspaceDecoder(
                    json.GetChar("replacement", '\u2581'), PrependSchemes.Read(json) != PrependScheme.Never));
                break;

            default:
                throw json.UnknownType("decoder", type, Known);
        }
    }
}
