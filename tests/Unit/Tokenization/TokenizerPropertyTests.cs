using System.Text;
using FsCheck;
using FsCheck.Fluent;
using LlmCluster.Inference.Tokenization;
using LlmCluster.Inference.Tokenization.Bpe;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Unit.Tokenization;

public class TokenizerPropertyTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithMaxTest(500);

    [Theory]
    [InlineData(300)]
    [InlineData(512)]
    [InlineData(8192)]
    public void Byte_level_decoding_undoes_encoding(int vocabSize)
    {
        var tokenizer = LoadRandom(vocabSize);
        Prop.ForAll(Texts.Any, text => tokenizer.Decode(tokenizer.Encode(text, addSpecialTokens: false), skipSpecialTokens: false) == text)
            .Check(Runs);
    }

    [Theory]
    [InlineData("byte level, GPT-2 pattern")]
    [InlineData("sentencepiece, byte fallback")]
    [InlineData("metaspace always")]
    [InlineData("decoder fuse then replace")]
    [InlineData("decoder strip two")]
    [InlineData("decoder metaspace after fuse")]
    [InlineData("decoder none")]
    public void Decoding_one_by_one_is_decoding_at_once_and_never_splits_a_character(string name)
    {
        var tokenizer = ReferenceCases.Load(name);
        var ids = Gen.Choose(0, tokenizer.VocabSize + 2).ArrayOf().ToArbitrary();
        Prop.ForAll(ids, sequence =>
        {
            var detokenizer = tokenizer.CreateDetokenizer(skipSpecialTokens: false);
            var text = new StringBuilder();
            foreach (int id in sequence)
            {
                string part = detokenizer.Append(id);
                Assert.False(part.Length > 0 && (char.IsHighSurrogate(part[^1]) || char.IsLowSurrogate(part[0])));
                text.Append(part);
            }

            text.Append(detokenizer.Flush());
            Assert.Equal(tokenizer.Decode(sequence, skipSpecialTokens: false), text.ToString());
        }).Check(Runs);
    }

    [Fact]
    public void The_bytes_of_tokens_make_the_text()
    {
        var tokenizer = LoadRandom(600);
        Prop.ForAll(Texts.Any, text =>
            Encoding.UTF8.GetString([.. tokenizer.Encode(text, addSpecialTokens: false).SelectMany(tokenizer.TokenBytes)]) == text).Check(Runs);
    }

    [Fact]
    public void Short_and_long_rows_are_merged_alike()
    {
        var merges = new MergeTable(200);
        var random = new Random(7);
        int next = 8;
        for (int rank = 0; rank < 200; rank++)
        {
            merges.Set(random.Next(next), random.Next(next), new Merge(rank, next++));
        }

        var merger = new BpeMerger(merges);
        Prop.ForAll(Gen.Choose(0, 7).ArrayOf().ToArbitrary(), row =>
        {
            int[] scanned = [.. row];
            int[] heaped = [.. row];
            int count = scanned.Length < 2 ? scanned.Length : merger.MergeShort(scanned);
            int heapedCount = heaped.Length < 2 ? heaped.Length : merger.MergeLong(heaped);
            Assert.Equal(scanned[..count], heaped[..heapedCount]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000).WithEndSize(300));
    }

    private static Tokenizer LoadRandom(int vocabSize)
    {
        using var directory = new TempDirectory("tokenizer");
        RandomTokenizer.Write(directory.Path, vocabSize);
        return Tokenizer.Load(directory.Path);
    }
}
