using System.Buffers;
using System.CommandLine;
using System.IO.Pipelines;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmCluster.Inference.Tokenization;

namespace LlmCluster.CommandLine.Commands;

/// <summary>
/// <c>llmc tokenize --model DIR</c>: JSON strings in, arrays of token ids out, one a line; <c>--decode</c> goes the other
/// way. Each line is answered as soon as it has been read.
/// </summary>
internal static class TokenizeCommand
{
    private const int BadInput = 2;

    public static Command Create()
    {
        var model = new Option<DirectoryInfo>("--model")
        {
            Description = "Directory with tokenizer.json and, if there is one, tokenizer_config.json.",
            Required = true,
            HelpName = "DIR",
        };
        var decode = new Option<bool>("--decode") { Description = "Read arrays of token ids and print JSON strings." };
        var noSpecialTokens = new Option<bool>("--no-special-tokens")
        {
            Description = "Do not add the tokens that the model's template puts around a text (beginning of sequence, say).",
        };
        var skipSpecialTokens = new Option<bool>("--skip-special-tokens")
        {
            Description = "With --decode: leave special tokens out of the text.",
        };
        var command = new Command("tokenize", "Turns JSON strings, one a line on standard input, into arrays of token ids.")
        {
            model, decode, noSpecialTokens, skipSpecialTokens,
        };
        command.SetAction(async (arguments, cancellationToken) =>
        {
            Tokenizer tokenizer;
            try
            {
                tokenizer = Tokenizer.Load(arguments.GetRequiredValue(model).FullName);
            }
            catch (TokenizerFormatException e)
            {
                await Console.Error.WriteLineAsync(e.Message);
                return 1;
            }

            bool addSpecialTokens = !arguments.GetValue(noSpecialTokens);
            bool skip = arguments.GetValue(skipSpecialTokens);
            LineHandler handler = arguments.GetValue(decode)
                ? (line, writer) => writer.WriteStringValue(tokenizer.Decode(ReadIds(line), skip))
                : (line, writer) => WriteIds(writer, tokenizer.Encode(ReadString(line), addSpecialTokens));
            return await RunAsync(
                Console.OpenStandardInput(), Console.OpenStandardOutput(), Console.Error, handler, cancellationToken);
        });
        return command;
    }

    /// <summary>Reads one line and writes one JSON value. Throws <see cref="JsonException"/> for a line that is not as it should be.</summary>
    private delegate void LineHandler(ReadOnlySpan<byte> line, Utf8JsonWriter writer);

    private static async Task<int> RunAsync(
        Stream input, Stream output, TextWriter errors, LineHandler handler, CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(input, new StreamPipeReaderOptions(bufferSize: 1 << 16));
        var answers = new ArrayBufferWriter<byte>();
        using var writer = new Utf8JsonWriter(answers, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        int lineNumber = 0;
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            string? error = null;
            while (error is null && TryTakeLine(ref buffer, read.IsCompleted, out var line))
            {
                lineNumber++;
                error = Answer(line, lineNumber, handler, writer, answers);
            }

            await output.WriteAsync(answers.WrittenMemory, cancellationToken);
            await output.FlushAsync(cancellationToken);
            answers.ResetWrittenCount();
            if (error is not null)
            {
                await errors.WriteLineAsync(error);
                return BadInput;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                return 0;
            }
        }
    }

    private static bool TryTakeLine(ref ReadOnlySequence<byte> buffer, bool isLast, out ReadOnlySequence<byte> line)
    {
        if (buffer.PositionOf((byte)'\n') is { } end)
        {
            line = buffer.Slice(0, end);
            buffer = buffer.Slice(buffer.GetPosition(1, end));
            return true;
        }

        line = buffer;
        if (!isLast || buffer.IsEmpty)
        {
            return false;
        }

        buffer = buffer.Slice(buffer.End);
        return true;
    }

    /// <summary>Answers a line; returns what is wrong with it, or null.</summary>
    private static string? Answer(
        in ReadOnlySequence<byte> line, int lineNumber, LineHandler handler, Utf8JsonWriter writer, ArrayBufferWriter<byte> answers)
    {
        writer.Reset();
        try
        {
            handler(line.IsSingleSegment ? line.FirstSpan : line.ToArray(), writer);
        }
        catch (JsonException e)
        {
            return $"line {lineNumber}: {e.Message}";
        }

        writer.Flush();
        answers.Write("\n"u8);
        return null;
    }

    private static void WriteIds(Utf8JsonWriter writer, int[] ids)
    {
        writer.WriteStartArray();
        foreach (int id in ids)
        {
            writer.WriteNumberValue(id);
        }

        writer.WriteEndArray();
    }

    private static int[] ReadIds(ReadOnlySpan<byte> line)
    {
        var ids = new List<int>();
        var reader = new Utf8JsonReader(line);
        if (!Read(ref reader) || reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException("expected a JSON array of token ids.");
        }

        while (Read(ref reader) && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id) || id < 0)
            {
                throw new JsonException($"element {ids.Count} of the array is no token id (an integer of 0 or more).");
            }

            ids.Add(id);
        }

        RequireEnd(ref reader);
        return [.. ids];
    }

    /// <summary>
    /// Reads a JSON string. Unlike <see cref="Utf8JsonReader.GetString"/> it takes escaped surrogates that stand alone, which
    /// JSON allows.
    /// </summary>
    private static string ReadString(ReadOnlySpan<byte> line)
    {
        var reader = new Utf8JsonReader(line);
        if (!Read(ref reader) || reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException("expected a JSON string.");
        }

        string text = Encoding.UTF8.GetString(reader.ValueSpan);
        if (reader.ValueIsEscaped)
        {
            text = Unescape(text);
        }

        RequireEnd(ref reader);
        return text;
    }

    private static string Unescape(string escaped)
    {
        var text = new StringBuilder(escaped.Length);
        for (int i = 0; i < escaped.Length; i++)
        {
            if (escaped[i] != '\\')
            {
                text.Append(escaped[i]);
                continue;
            }

            char kind = escaped[++i];
            if (kind == 'u')
            {
                text.Append((char)Convert.ToUInt16(escaped.Substring(i + 1, 4), 16));
                i += 4;
            }
            else
            {
                text.Append(kind switch { 'n' => '\n', 'r' => '\r', 't' => '\t', 'b' => '\b', 'f' => '\f', _ => kind });
            }
        }

        return text.ToString();
    }

    private static bool Read(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.Read();
        }
        catch (JsonException e)
        {
            throw new JsonException($"not valid JSON: {e.Message}", e);
        }
    }

    private static void RequireEnd(ref Utf8JsonReader reader)
    {
        if (Read(ref reader))
        {
            throw new JsonException("something follows the JSON value.");
        }
    }
}
