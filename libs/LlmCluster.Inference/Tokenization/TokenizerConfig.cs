using System.Text.Json;
using LlmCluster.Inference.Tokenization.Loading;

namespace LlmCluster.Inference.Tokenization;

/// <summary>
/// What <c>tokenizer_config.json</c> says beyond <c>tokenizer.json</c>: special tokens by their role, and chat templates.
/// Files beside it count, too: <c>special_tokens_map.json</c>, <c>chat_template.jinja</c> and
/// <c>additional_chat_templates/*.jinja</c>.
/// </summary>
public sealed class TokenizerConfig
{
    private const string DefaultTemplate = "default";

    private TokenizerConfig()
    {
    }

    /// <summary>Text of the token that starts a sequence, or none.</summary>
    public string? BosToken { get; private init; }

    /// <summary>Text of the token that ends a sequence, or none.</summary>
    public string? EosToken { get; private init; }

    /// <summary>Text of the token for what has none, or none.</summary>
    public string? UnknownToken { get; private init; }

    /// <summary>Text of the token that fills batches up, or none.</summary>
    public string? PadToken { get; private init; }

    /// <summary>The class that the reference library runs the tokenizer with, or none.</summary>
    public string? TokenizerClass { get; private init; }

    /// <summary>Whether encoding starts with <see cref="BosToken"/>, when the file says so.</summary>
    public bool? AddBosToken { get; private init; }

    /// <summary>Whether encoding ends with <see cref="EosToken"/>, when the file says so.</summary>
    public bool? AddEosToken { get; private init; }

    /// <summary>The chat template in Jinja, or none.</summary>
    public string? ChatTemplate => ChatTemplates.GetValueOrDefault(DefaultTemplate);

    /// <summary>All chat templates by name; the one that is used unless another is asked for is named <c>default</c>.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; private init; } = new Dictionary<string, string>();

    /// <summary>Tokens of <c>added_tokens_decoder</c>.</summary>
    internal IReadOnlyList<AddedTokens.AddedToken> AddedTokens { get; private init; } = [];

    /// <summary>Reads the files of a directory. A file that is missing says nothing; none is required.</summary>
    /// <exception cref="TokenizerFormatException">A file is there but can't be used.</exception>
    public static TokenizerConfig Load(string directory)
    {
        JsonCursor? config = ReadIfThere(directory, "tokenizer_config.json");
        JsonCursor? map = ReadIfThere(directory, "special_tokens_map.json");
        return new TokenizerConfig
        {
            BosToken = Token("bos_token"),
            EosToken = Token("eos_token"),
            UnknownToken = Token("unk_token"),
            PadToken = Token("pad_token"),
            TokenizerClass = config?.Optional("tokenizer_class")?.GetString(),
            AddBosToken = config?.Optional("add_bos_token")?.GetBoolean(),
            AddEosToken = config?.Optional("add_eos_token")?.GetBoolean(),
            ChatTemplates = ReadTemplates(directory, config),
            AddedTokens = config?.Optional("added_tokens_decoder") is { } added ? [.. added.Members().Select(ReadAddedToken)] : [],
        };

        string? Token(string name) => ReadToken(config, name, out bool stated) is var token && stated ? token : ReadToken(map, name, out _);
    }

    private static JsonCursor? ReadIfThere(string directory, string name)
    {
        string file = Path.Combine(directory, name);
        return File.Exists(file) ? JsonCursor.ReadFile(file) : null;
    }

    /// <summary>A token by its role: its text, or an object with its text, or null for none.</summary>
    private static string? ReadToken(JsonCursor? json, string name, out bool stated)
    {
        stated = json is { } cursor && cursor.Element.ValueKind == JsonValueKind.Object && cursor.Element.TryGetProperty(name, out _);
        return json?.Optional(name) is not { } token ? null
            : token.Element.ValueKind == JsonValueKind.Object ? token.Required("content").GetString()
            : token.GetString();
    }

    private static AddedTokens.AddedToken ReadAddedToken((string Name, JsonCursor Value) member) =>
        int.TryParse(member.Name, out int id)
            ? AddedTokenReader.Read(member.Value, id)
            : throw member.Value.Error("the name of a member of added_tokens_decoder must be an id.");

    private static Dictionary<string, string> ReadTemplates(string directory, JsonCursor? config)
    {
        var templates = new Dictionary<string, string>();
        if (config?.Optional("chat_template") is { } template)
        {
            if (template.Element.ValueKind == JsonValueKind.String)
            {
                templates[DefaultTemplate] = template.GetString();
            }
            else
            {
                foreach (var named in template.Items())
                {
                    templates[named.Required("name").GetString()] = named.Required("template").GetString();
                }
            }
        }

        string file = Path.Combine(directory, "chat_template.jinja");
        if (File.Exists(file))
        {
            templates[DefaultTemplate] = File.ReadAllText(file);
        }

        string more = Path.Combine(directory, "additional_chat_templates");
        if (Directory.Exists(more))
        {
            foreach (string path in Directory.EnumerateFiles(more, "*.jinja").Order(StringComparer.Ordinal))
            {
                templates[Path.GetFileNameWithoutExtension(path)] = File.ReadAllText(path);
            }
        }

        return templates;
    }
}
