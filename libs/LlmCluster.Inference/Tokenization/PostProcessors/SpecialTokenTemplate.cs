using LlmCluster.Inference.Tokenization.Loading;

namespace LlmCluster.Inference.Tokenization.PostProcessors;

/// <summary>The tokens that go before and after those of a text. All that post-processors do to a single text.</summary>
internal sealed record SpecialTokenTemplate(int[] Before, int[] After)
{
    private const string Known = "Sequence, TemplateProcessing, ByteLevel, RobertaProcessing and BertProcessing";

    public static SpecialTokenTemplate Nothing { get; } = new([], []);

    /// <summary>Reads the member <c>post_processor</c>.</summary>
    public static SpecialTokenTemplate Read(JsonCursor? json)
    {
        if (json is not { } cursor)
        {
            return Nothing;
        }

        string type = cursor.Required("type").GetString();
        return type switch
        {
            "ByteLevel" => Nothing,
            "Sequence" => cursor.Required("processors").Items()
                .Select(item => Read(item))
                .Aggregate(Nothing, (inner, outer) => new([.. outer.Before, .. inner.Before], [.. inner.After, .. outer.After])),
            "TemplateProcessing" => ReadTemplate(cursor),
            "RobertaProcessing" or "BertProcessing" => new([PairId(cursor, "cls")], [PairId(cursor, "sep")]),
            _ => throw cursor.UnknownType("post-processor", type, Known),
        };
    }

    private static SpecialTokenTemplate ReadTemplate(JsonCursor json)
    {
        var before = new List<int>();
        var after = new List<int>();
        bool sequenceSeen = false;
        foreach (var item in json.Required("single").Items())
        {
            if (item.Optional("Sequence") is not null)
            {
                sequenceSeen = !sequenceSeen ? true : throw item.Error("the text stands in the template twice.");
            }
            else
            {
                var name = item.Required("SpecialToken").Required("id");
                var token = json.Required("special_tokens").Required(name.GetString());
                (sequenceSeen ? after : before).AddRange(token.Required("ids").Items().Select(id => id.GetInt32()));
            }
        }

        return sequenceSeen
            ? new SpecialTokenTemplate([.. before], [.. after])
            : throw json.Required("single").Error("the text itself ({\"Sequence\": ...}) is missing.");
    }

    private static int PairId(JsonCursor json, string name)
    {
        var pair = json.Required(name).Items().ToArray();
        return pair.Length == 2 ? pair[1].GetInt32() : throw json.Required(name).Error("expected [token, id].");
    }
}
