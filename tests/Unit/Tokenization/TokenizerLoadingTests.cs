using System.Text.Json.Nodes;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Tokenization;

public sealed class TokenizerLoadingTests : IDisposable
{
    private readonly TempDirectory _directory = new("tokenizer");

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(260)]
    [InlineData(512)]
    [InlineData(8192)]
    [InlineData(128_256)]
    public void A_random_tokenizer_has_the_size_asked_for(int vocabSize)
    {
        var ids = RandomTokenizer.Write(_directory.Path, vocabSize);
        var tokenizer = Tokenizer.Load(_directory.Path);
        Assert.Equal(vocabSize, tokenizer.VocabSize);
        Assert.All(Enumerable.Range(0, vocabSize), id => Assert.Equal(id, tokenizer.TokenToId(tokenizer.IdToToken(id)!)));
        Assert.Equal(ids.BosTokenId, tokenizer.BosTokenId);
        Assert.Equal(ids.EosTokenId, tokenizer.EosTokenId);
        Assert.Equal(ids.ImEndTokenId, tokenizer.TokenToId("<|im_end|>"));
        Assert.Equal([ids.BosTokenId, ids.ImStartTokenId], tokenizer.Encode("<|im_start|>"));
        Assert.NotNull(tokenizer.Config.ChatTemplate);
        Assert.Empty(tokenizer.TokenBytes(vocabSize));
        Assert.Null(tokenizer.IdToToken(-1));
    }

    [Fact]
    public void A_random_tokenizer_is_the_same_every_time()
    {
        RandomTokenizer.Write(_directory.Path, 1000);
        string first = File.ReadAllText(_directory.Combine("tokenizer.json"));
        RandomTokenizer.Write(_directory.Path, 1000);
        Assert.Equal(first, File.ReadAllText(_directory.Combine("tokenizer.json")));
        Assert.Throws<ArgumentOutOfRangeException>(() => RandomTokenizer.Write(_directory.Path, 259));
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        string message = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(_directory.Path)).Message;
        Assert.Equal($"{_directory.Combine("tokenizer.json")}: the file is missing.", message);
    }

    [Fact]
    public void A_file_that_is_no_json_is_named()
    {
        _directory.Write("tokenizer.json", "{\n \"model\": }");
        Assert.Contains("tokenizer.json: not valid JSON at line 2", LoadError(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model", null, "$: the member \"model\" is missing.")]
    [InlineData("model", """{"type":"Unigram"}""", "$.model: unknown model type \"Unigram\"; known are BPE.")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":"x"},"merges":[]}""", "$.model.vocab: the id of \"a\" must be an integer in 0..16777215.")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}""", "$.model.merges: merge 0 needs the token \"ab\", which is not in the vocabulary.")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":["ab"]}""", "$.model.merges: merge 0 must be \"left right\" or [\"left\", \"right\"].")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}""", "$.model.unk_token: the token \"u\" is not in the vocabulary.")]
    [InlineData("normalizer", """{"type":"Nmt"}""", "$.normalizer: unknown normalizer type \"Nmt\"; known are Sequence,")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"X"}]}""", "$.normalizer.normalizers[1]: unknown normalizer type \"X\"")]
    [InlineData("pre_tokenizer", """{"type":"UnicodeScripts"}""", "$.pre_tokenizer: unknown pre-tokenizer type \"UnicodeScripts\"; known are")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"}""", "$.pre_tokenizer.pattern.Regex: the pattern /(a/ can't be read at position 2: ')' is missing.")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Glue"}""", "$.pre_tokenizer.behavior: unknown behavior \"Glue\"")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"ab"}""", "$.pre_tokenizer.replacement: expected one character, found \"ab\".")]
    [InlineData("post_processor", """{"type":"X"}""", "$.post_processor: unknown post-processor type \"X\"")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"special_tokens":{}}""", "$.post_processor.special_tokens: the member \"<s>\" is missing.")]
    [InlineData("decoder", """{"type":"CTC"}""", "$.decoder: unknown decoder type \"CTC\"; known are")]
    [InlineData("decoder", """{"type":"Strip","content":" ","start":"1"}""", "$.decoder.start: expected an integer, found the string \"1\".")]
    [InlineData("added_tokens", """[{"id":-1,"content":"x"}]""", "$.added_tokens[0]: the id -1 is outside 0..16777215.")]
    [InlineData("added_tokens", """[{"id":1}]""", "$.added_tokens[0]: the member \"content\" is missing.")]
    [InlineData("added_tokens", """[{"id":1,"content":"x","special":1}]""", "$.added_tokens[0].special: expected true or false, found 1.")]
    public void What_is_wrong_is_named_with_file_and_path(string member, string? value, string expected)
    {
        var json = MinimalTokenizer();
        json[member] = value is null ? null : JsonNode.Parse(value);
        _directory.Write("tokenizer.json", json.ToJsonString());
        Assert.StartsWith($"{_directory.Combine("tokenizer.json")}: {expected}", LoadError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_may_be_objects_and_may_stand_in_the_map()
    {
        WriteMinimal("""{"bos_token":{"content":"a","lstrip":false},"eos_token":null}""");
        _directory.Write("special_tokens_map.json", """{"bos_token":"b","eos_token":"b","pad_token":{"content":"b"}}""");
        var tokenizer = Tokenizer.Load(_directory.Path);
        Assert.Equal(("a", null, "b"), (tokenizer.Config.BosToken, tokenizer.Config.EosToken, tokenizer.Config.PadToken));
        Assert.Equal(0, tokenizer.BosTokenId);
        Assert.Null(tokenizer.EosTokenId);
    }

    [Fact]
    public void Chat_templates_may_be_named_and_a_file_goes_first()
    {
        WriteMinimal("""{"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]}""");
        Assert.Equal(("D", "T"), (Config().ChatTemplate, Config().ChatTemplates["tool_use"]));
        _directory.Write("chat_template.jinja", "F");
        _directory.Write(Path.Combine("additional_chat_templates", "rag.jinja"), "R");
        Assert.Equal(("F", "T", "R"), (Config().ChatTemplate, Config().ChatTemplates["tool_use"], Config().ChatTemplates["rag"]));

        TokenizerConfig Config() => Tokenizer.Load(_directory.Path).Config;
    }

    [Theory]
    [InlineData("""{"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"bos_token":"b"}""", new[] { 1, 0 })]
    [InlineData("""{"tokenizer_class":"LlamaTokenizerFast","add_bos_token":true,"add_eos_token":true,"bos_token":"b","eos_token":"a"}""", new[] { 1, 0, 0 })]
    [InlineData("""{"tokenizer_class":"LlamaTokenizer","add_bos_token":false,"bos_token":"b"}""", new[] { 0 })]
    [InlineData("""{"tokenizer_class":"Qwen2Tokenizer","add_bos_token":true,"bos_token":"b"}""", new[] { 0 })]
    [InlineData("""{"tokenizer_class":"LlamaTokenizer","bos_token":"b"}""", new[] { 0 })]
    public void Llama_classes_add_the_tokens_that_the_config_names(string config, int[] expected)
    {
        WriteMinimal(config);
        Assert.Equal(expected, Tokenizer.Load(_directory.Path).Encode("a"));
    }

    [Fact]
    public void A_token_to_add_must_be_known()
    {
        WriteMinimal("""{"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"bos_token":"nope"}""");
        Assert.EndsWith("tokenizer_config.json: $.bos_token: the token \"nope\" is not in tokenizer.json.", LoadError(), StringComparison.Ordinal);
        WriteMinimal("""{"tokenizer_class":"LlamaTokenizer","add_bos_token":true}""");
        Assert.EndsWith("tokenizer_config.json: $.add_bos_token: there is no $.bos_token.", LoadError(), StringComparison.Ordinal);
    }

    [Fact]
    public void Tokens_that_only_the_config_has_are_added()
    {
        WriteMinimal("""{"added_tokens_decoder":{"5":{"content":"<x>","special":true}}}""");
        var tokenizer = Tokenizer.Load(_directory.Path);
        Assert.Equal([0, 5, 1], tokenizer.Encode("a<x>b"));
        Assert.Equal(6, tokenizer.VocabSize);
        Assert.Equal("a b", tokenizer.Decode([0, 5, 1]));
        Assert.True(tokenizer.IsSpecial(5));
    }

    private static JsonObject MinimalTokenizer() => JsonNode.Parse(
        """{"added_tokens":[],"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}""")!.AsObject();

    private void WriteMinimal(string config)
    {
        _directory.Write("tokenizer.json", MinimalTokenizer().ToJsonString());
        _directory.Write("tokenizer_config.json", config);
    }

    private string LoadError() => Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(_directory.Path)).Message;
}
