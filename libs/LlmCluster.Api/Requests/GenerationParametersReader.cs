using System.Globalization;
using System.Text.Json;
using LlmCluster.Api.Errors;

namespace LlmCluster.Api.Requests;

/// <summary>Reads the fields that completion and chat requests share. Log probabilities differ and are read by each.</summary>
internal static class GenerationParametersReader
{
    public static GenerationParameters Read(RequestField request, RequestLimits limits, bool addSpecialTokens)
    {
        int choices = Optional(request["n"], 1, f => f.Int32(1, limits.MaxChoices));
        int? maxTokens = Nullable(request["max_completion_tokens"], f => f.Int32(1, int.MaxValue))
            ?? Nullable(request["max_tokens"], f => f.Int32(1, int.MaxValue));
        bool stream = Optional(request["stream"], false, f => f.Boolean());
        return new GenerationParameters
        {
            Model = ReadModel(request),
            Choices = choices,
            MaxTokens = maxTokens,
            MinTokens = ReadMinTokens(request["min_tokens"], maxTokens),
            Temperature = Nullable(request["temperature"], f => f.Single(0, 2)),
            TopP = Nullable(request["top_p"], f => f.Single(0, 1, exclusive: true)),
            TopK = ReadTopK(request["top_k"]),
            MinP = Nullable(request["min_p"], f => f.Single(0, 1)),
            RepetitionPenalty = Nullable(request["repetition_penalty"], f => f.Single(0, float.MaxValue, exclusive: true)),
            PresencePenalty = Optional(request["presence_penalty"], 0, f => f.Single(-2, 2)),
            FrequencyPenalty = Optional(request["frequency_penalty"], 0, f => f.Single(-2, 2)),
            LogitBias = ReadLogitBias(request["logit_bias"], limits.VocabSize),
            Seed = Nullable(request["seed"], f => f.Int64()),
            Stop = ReadStop(request["stop"], limits.MaxStopStrings),
            StopTokenIds = ReadStopTokenIds(request["stop_token_ids"], limits.VocabSize),
            IncludeStopInOutput = Optional(request["include_stop_str_in_output"], false, f => f.Boolean()),
            IgnoreEos = Optional(request["ignore_eos"], false, f => f.Boolean()),
            SkipSpecialTokens = Optional(request["skip_special_tokens"], true, f => f.Boolean()),
            AddSpecialTokens = Optional(request["add_special_tokens"], addSpecialTokens, f => f.Boolean()),
            ReturnTokenIds = Optional(request["return_token_ids"], false, f => f.Boolean()),
            CacheSalt = ReadCacheSalt(request["cache_salt"]),
            Priority = Nullable(request["priority"], f => f.Int32(-GenerationParameters.MostPriority, GenerationParameters.MostPriority)),
            User = Optional(request["user"], "", f => f.String()),
            Stream = stream,
            IncludeUsage = ReadIncludeUsage(request["stream_options"], stream),
        };
    }

    public static string ReadModel(RequestField request)
    {
        RequestField field = request["model"];
        string model = field.String();
        return model.Length > 0 ? model : throw field.Error("the name of a model is expected, but the string is empty.", ApiErrorCodes.Empty);
    }

    public static T Optional<T>(RequestField field, T missing, Func<RequestField, T> read) => field.IsPresent ? read(field) : missing;

    public static T? Nullable<T>(RequestField field, Func<RequestField, T> read)
        where T : struct => field.IsPresent ? read(field) : null;

    private static int ReadMinTokens(RequestField field, int? maxTokens)
    {
        int minTokens = Optional(field, 0, f => f.Int32(0, int.MaxValue));
        return maxTokens is { } most && minTokens > most
            ? throw field.Error($"{minTokens} is more than the {most} tokens that the answer may have.", ApiErrorCodes.AboveMaximum)
            : minTokens;
    }

    private static int? ReadTopK(RequestField field)
    {
        int? topK = Nullable(field, f => f.Int32(-1, int.MaxValue));
        return topK == -1 ? 0 : topK;
    }

    private static string[] ReadStop(RequestField field, int maximum)
    {
        if (!field.IsPresent)
        {
            return [];
        }

        RequestField[] items = field.Kind == JsonValueKind.String ? [field] : field.Array("a string or an array of strings");
        if (items.Length > maximum)
        {
            throw field.Error($"{items.Length} stop strings are more than the maximum of {maximum}.", ApiErrorCodes.TooMany);
        }

        var stops = new string[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            stops[i] = items[i].String();
            if (stops[i].Length == 0)
            {
                throw items[i].Error("a stop string can't be empty.", ApiErrorCodes.Empty);
            }
        }

        return stops;
    }

    private static int[] ReadStopTokenIds(RequestField field, int vocabSize) =>
        field.IsPresent ? field.Int32Array(0, vocabSize - 1) : [];

    private static Dictionary<int, float>? ReadLogitBias(RequestField field, int vocabSize)
    {
        if (!field.IsPresent)
        {
            return null;
        }

        var bias = new Dictionary<int, float>();
        foreach (JsonProperty property in field.Object().Element.EnumerateObject())
        {
            if (!int.TryParse(property.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int token) || token >= vocabSize)
            {
                throw field.Error($"the key '{property.Name}' is not a token id. Expected an integer from 0 to {vocabSize - 1}.");
            }

            bias[token] = new RequestField(property.Value, $"{field.Path}.{property.Name}").Required().Single(-100, 100);
        }

        return bias.Count == 0 ? null : bias;
    }

    private static string ReadCacheSalt(RequestField field)
    {
        string salt = Optional(field, "", f => f.String());
        return field.IsPresent && salt.Length == 0 ? throw field.Error("a cache salt can't be empty; leave it out instead.", ApiErrorCodes.Empty) : salt;
    }

    private static bool ReadIncludeUsage(RequestField field, bool stream)
    {
        if (!field.IsPresent)
        {
            return false;
        }

        if (!stream)
        {
            throw field.Error("stream options are allowed only when 'stream' is true.");
        }

        return Optional(field.Object()["include_usage"], false, f => f.Boolean());
    }
}
