using System.Text.Encodings.Web;
using System.Text.Json;
using LlmCluster.Evaluation.Results;

namespace LlmCluster.CommandLine.Commands;

/// <summary>Shows wrong answers beside what was expected.</summary>
internal static class WrongAnswers
{
    /// <summary>Of a longer question the end is shown, which is where the question is.</summary>
    private const int LongestText = 400;

    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Prints the first wrong answers of each skill and bucket.</summary>
    public static void Print(IReadOnlyList<ConversationResult> results, int limit, TextWriter output)
    {
        foreach (IGrouping<string, ConversationResult> wrong in results.Where(r => !r.Right).GroupBy(r => r.Name))
        {
            foreach (ConversationResult result in wrong.Take(limit))
            {
                output.WriteLine();
                output.WriteLine($"{wrong.Key}: {result.Id}");
                output.WriteLine($"  question  {Quote(result.Question.Length > LongestText ? "…" + result.Question[^LongestText..] : result.Question)}");
                output.WriteLine($"  expected  {result.Expected}");
                output.WriteLine($"  got       {Quote(result.Text)}{(result.EndedItself ? "" : $" (cut off after {result.OutputIds.Count} tokens)")}");
            }
        }
    }

    // In one line, with every character visible.
    private static string Quote(string text) => JsonSerializer.Serialize(text, Json);
}
