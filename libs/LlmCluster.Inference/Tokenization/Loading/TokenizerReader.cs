using LlmCluster.Inference.Tokenization.AddedTokens;
using LlmCluster.Inference.Tokenization.Bpe;
using LlmCluster.Inference.Tokenization.Decoders;
using LlmCluster.Inference.Tokenization.Normalizers;
using LlmCluster.Inference.Tokenization.PostProcessors;
using LlmCluster.Inference.Tokenization.PreTokenizers;

namespace LlmCluster.Inference.Tokenization.Loading;

/// <summary>What a tokenizer is made of.</summary>
internal sealed record TokenizerParts(
    BpeModel Model,
    AddedVocabulary Added,
    INormalizer? Normalizer,
    IPreTokenizer PreTokenizer,
    SpecialTokenTemplate Template,
    DecoderPipeline Decoders,
    TokenizerConfig Config);

/// <summary>Reads the files of a tokenizer.</summary>
internal static class TokenizerReader
{
    public const string FileName = "tokenizer.json";

    public static TokenizerParts Read(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var json = JsonCursor.ReadFile(Path.Combine(directory, FileName));
        var config = TokenizerConfig.Load(directory);
        var normalizer = NormalizerFactory.Create(json.Optional("normalizer"));
        var preTokenizer = PreTokenizerFactory.Create(json.Optional("pre_tokenizer"), out bool byteLevel);
        var model = BpeReader.Read(json.Required("model"), byteLevel);
        var added = new AddedVocabulary(ReadAddedTokens(json, config, model.Vocabulary), normalizer);
        return new TokenizerParts(
            model,
            added,
            normalizer,
            preTokenizer,
            ReadTemplate(json, config, added, model.Vocabulary),
            DecoderFactory.Create(json.Optional("decoder")),
            config);
    }

    /// <summary>
    /// The added tokens of both files; where they disagree, <c>tokenizer.json</c> is right. A token that the model has, too,
    /// has the id that it has there.
    /// </summary>
    private static IEnumerable<AddedToken> ReadAddedTokens(JsonCursor json, TokenizerConfig config, Vocabulary vocabulary)
    {
        var inFile = json.Optional("added_tokens") is { } added
            ? added.Items().Select(item => AddedTokenReader.Read(item, item.Required("id").GetInt32()))
            : [];
        return inFile.Concat(config.AddedTokens.OrderBy(token => token.Id))
            .Select(token => vocabulary.IdOf(token.Content) is { } id ? token with { Id = id } : token);
    }

    /// <summary>
    /// The special tokens around a text. The Llama and Gemma classes of the reference library make the template anew from
    /// <c>add_bos_token</c> and <c>add_eos_token</c>; with any other class the post-processor is the truth.
    /// </summary>
    private static SpecialTokenTemplate ReadTemplate(
        JsonCursor json, TokenizerConfig config, AddedVocabulary added, Vocabulary vocabulary)
    {
        var template = SpecialTokenTemplate.Read(json.Optional("post_processor"));
        bool rebuilt = config.TokenizerClass is { } name
            && (name.StartsWith("Llama", StringComparison.Ordinal)
                || name.StartsWith("CodeLlama", StringComparison.Ordinal)
                || name.StartsWith("Gemma", StringComparison.Ordinal));
        if (!rebuilt || (config.AddBosToken is null && config.AddEosToken is null))
        {
            return template;
        }

        return new SpecialTokenTemplate(
            config.AddBosToken ?? true ? [Id("bos_token", config.BosToken)] : [],
            config.AddEosToken ?? false ? [Id("eos_token", config.EosToken)] : []);

        int Id(string role, string? token) =>
            token is null
                ? throw new TokenizerFormatException(
                    $"{Path.Combine(Path.GetDirectoryName(json.File)!, "tokenizer_config.json")}: $.add_{role}: there is no $.{role}.")
                : added.Find(token)?.Id ?? vocabulary.IdOf(token) ?? throw new TokenizerFormatException(
                    $"{Path.Combine(Path.GetDirectoryName(json.File)!, "tokenizer_config.json")}: $.{role}: the token \"{token}\" is not in {FileName}.");
    }
}
