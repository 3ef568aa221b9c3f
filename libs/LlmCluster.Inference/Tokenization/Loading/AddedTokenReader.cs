using LlmCluster.Inference.Tokenization.AddedTokens;

namespace LlmCluster.Inference.Tokenization.Loading;

/// <summary>Reads an added token, as <c>tokenizer.json</c> and <c>tokenizer_config.json</c> have them.</summary>
internal static class AddedTokenReader
{
    public static AddedToken Read(JsonCursor json, int id)
    {
        bool special = json.GetBoolean("special", false);
        return new AddedToken(BpeReader.CheckId(json, id), json.Required("content").GetString())
        {
            Special = special,
            SingleWord = json.GetBoolean("single_word", false),
            LeftStrip = json.GetBoolean("lstrip", false),
            RightStrip = json.GetBoolean("rstrip", false),
            Normalized = json.GetBoolean("normalized", !special),
        };
    }
}
