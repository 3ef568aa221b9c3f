using System.Text;
using LlmCluster.Inference.Tokenization;
using Xunit;

namespace LlmCluster.Tests.Unit.Tokenization;

public class ReferenceCasesTests
{
    public static TheoryData<string> Names => [.. ReferenceCases.Names];

    [Fact]
    public void There_are_cases_of_every_kind() => Assert.True(ReferenceCases.Names.Count() >= 80);

    [Theory]
    [MemberData(nameof(Names))]
    public void Texts_are_encoded_and_decoded_as_by_the_reference_library(string name)
    {
        var tokenizer = ReferenceCases.Load(name);
        foreach (var item in ReferenceCases.Find(name)["encode"]!.AsArray())
        {
            string text = item![0]!.GetValue<string>();
            int[] ids = ReferenceCases.Ids(item[1]);
            Assert.Equal((text, Show(ids)), (text, Show(tokenizer.Encode(text))));
            Assert.Equal((text, Show(ReferenceCases.Ids(item[2]))), (text, Show(tokenizer.Encode(text, addSpecialTokens: false))));
            Assert.Equal(item[3]!.GetValue<string>(), tokenizer.Decode(ids, skipSpecialTokens: false));
            Assert.Equal(item[4]!.GetValue<string>(), tokenizer.Decode(ids, skipSpecialTokens: true));
            Assert.Equal(item[3]!.GetValue<string>(), DecodeOneByOne(tokenizer, ids, skipSpecialTokens: false));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Any_ids_are_decoded_as_by_the_reference_library(string name)
    {
        var tokenizer = ReferenceCases.Load(name);
        foreach (var item in ReferenceCases.Find(name)["decode"]!.AsArray())
        {
            int[] ids = ReferenceCases.Ids(item![0]);
            bool skip = item[1]!.GetValue<bool>();
            string expected = item[2]!.GetValue<string>();
            Assert.Equal(expected, tokenizer.Decode(ids, skip));
            Assert.Equal(expected, DecodeOneByOne(tokenizer, ids, skip));
        }
    }

    private static string DecodeOneByOne(Tokenizer tokenizer, int[] ids, bool skipSpecialTokens)
    {
        var detokenizer = tokenizer.CreateDetokenizer(skipSpecialTokens);
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            text.Append(detokenizer.Append(id));
        }

        return text.Append(detokenizer.Flush()).ToString();
    }

    private static string Show(int[] ids) => string.Join(' ', ids);
}
