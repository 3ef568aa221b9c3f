using System.Text.Json;
using LlmCluster.Testing;
using Xunit;

namespace LlmCluster.Tests.Interop.Tokenizers;

/// <summary>The program <c>llmc tokenize</c>, run as users run it.</summary>
public class TokenizeCommandTests
{
    [Theory]
    [InlineData("llama2")]
    [InlineData("qwen3")]
    public async Task Lines_are_encoded_and_decoded(string name)
    {
        var tokenizer = RealTokenizers.Load(name);
        string[] texts = [.. TextCorpus.Create(500), "\uD83D", "a\uDE00"];
        string[] lines = await RunAsync(RealTokenizers.JsonLines(texts), "--model", RealTokenizers.Folder(name));
        Assert.Equal(texts.Select(text => JsonSerializer.Serialize(tokenizer.Encode(text))), lines);

        string[] decoded = await RunAsync(string.Join('\n', lines), "--model", RealTokenizers.Folder(name), "--decode");
        Assert.Equal(
            texts.Select(text => tokenizer.Decode(tokenizer.Encode(text), skipSpecialTokens: false)),
            decoded.Select(line => JsonSerializer.Deserialize<string>(line)));
    }

    [Fact]
    public async Task Special_tokens_are_added_and_kept_unless_told()
    {
        string folder = RealTokenizers.Folder("llama2");
        Assert.Equal(["[1,22557]"], await RunAsync("\"Hello\"\n", "--model", folder));
        Assert.Equal(["[22557]"], await RunAsync("\"Hello\"\n", "--model", folder, "--no-special-tokens"));
        Assert.Equal(["\"<s> Hello\""], await RunAsync("[1,22557]", "--model", folder, "--decode"));
        Assert.Equal(["\"Hello\""], await RunAsync("[1,22557]", "--model", folder, "--decode", "--skip-special-tokens"));
    }

    [Theory]
    [InlineData("\"a\"\n\"b\n\"c\"\n", false, "line 2: not valid JSON")]
    [InlineData("\"a\"\n5\n", false, "line 2: expected a JSON string.")]
    [InlineData("\"a\"\n\n", false, "line 2: not valid JSON")]
    [InlineData("\"a\"\n\"b\" \"c\"\n", false, "line 2:")]
    [InlineData("[1]\n[1,-2]\n", true, "line 2: element 1 of the array is no token id")]
    [InlineData("[1]\n{}\n", true, "line 2: expected a JSON array of token ids.")]
    public async Task A_bad_line_is_named_and_ends_it_with_code_2(string input, bool decode, string expected)
    {
        var (exitCode, log) = await LlmcProcess.RunAsync(
            ["tokenize", "--model", RealTokenizers.Folder("llama2"), .. decode ? ["--decode"] : Array.Empty<string>()], input: input);
        Assert.Equal(2, exitCode);
        Assert.Contains(expected, log, StringComparison.Ordinal);
        Assert.Contains(decode ? "\"<s>\"" : "[1,264]", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_without_a_tokenizer_is_named()
    {
        using var empty = new TempDirectory("tokenize");
        var (exitCode, log) = await LlmcProcess.RunAsync(["tokenize", "--model", empty.Path], input: "");
        Assert.Equal(1, exitCode);
        Assert.Contains($"{empty.Combine("tokenizer.json")}: the file is missing.", log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_line_is_answered_before_the_next_one_comes()
    {
        await using var process = new LlmcProcess(["tokenize", "--model", RealTokenizers.Folder("llama2")]);
        foreach (string expected in new[] { "[1,22557]", "[1,22557,22557]" })
        {
            await process.StandardInput.WriteLineAsync(expected == "[1,22557]" ? "\"Hello\"" : "\"Hello Hello\"");
            await process.StandardInput.FlushAsync();
            await process.WaitForLineAsync(line => line.Contains(expected, StringComparison.Ordinal), expected, TimeSpan.FromSeconds(60));
        }

        process.StandardInput.Close();
        Assert.Equal(0, await process.WaitForExitAsync());
    }

    private static async Task<string[]> RunAsync(string input, params string[] arguments)
    {
        // Standard output alone, as a pipe would get it.
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(LlmcProcess.Executable, ["tokenize", .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            StandardInputEncoding = new System.Text.UTF8Encoding(false),
            StandardOutputEncoding = System.Text.Encoding.UTF8,
        })!;
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var output = process.StandardOutput.ReadToEndAsync(deadline.Token);
        await process.StandardInput.WriteAsync(input.AsMemory(), deadline.Token);
        process.StandardInput.Close();
        string text = await output;
        await process.WaitForExitAsync(deadline.Token);
        Assert.Equal(0, process.ExitCode);
        Assert.True(text.Length == 0 || text.EndsWith('\n'));
        return text.Length == 0 ? [] : text[..^1].Split('\n');
    }
}
