using System.Globalization;
using System.Text;

namespace LlmCluster.Inference.Tokenization.Decoders;

/// <summary>
/// Byte fallback: a run of tokens <c>&lt;0xNN&gt;</c> is read as UTF-8. A run that is not valid as a whole becomes one
/// U+FFFD a byte, so a run has to be held back until it ends.
/// </summary>
internal sealed class ByteFallbackDecoder : ITokenDecoder
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public bool NeedsWholeTokens => true;

    public bool Fuses => false;

    public ITokenSink CreateStage(ITokenSink next) => new Stage(next);

    public byte[]? DecodeAlone(ref string text) => TryParse(text, out byte value) ? [value] : null;

    private static bool TryParse(string token, out byte value)
    {
        value = 0;
        return token.Length == 6
            && token.StartsWith("<0x", StringComparison.Ordinal)
            && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private sealed class Stage(ITokenSink next) : ITokenSink
    {
        private readonly List<byte> _run = [];

        public void Add(string text, bool startsToken)
        {
            if (TryParse(text, out byte value))
            {
                _run.Add(value);
                return;
            }

            EndRun();
            next.Add(text, startsToken: true);
        }

        public void End()
        {
            EndRun();
            next.End();
        }

        private void EndRun()
        {
            if (_run.Count == 0)
            {
                return;
            }

            byte[] bytes = [.. _run];
            _run.Clear();
            if (System.Text.Unicode.Utf8.IsValid(bytes))
            {
                next.Add(Strict.GetString(bytes), startsToken: true);
                return;
            }

            foreach (byte _ in bytes)
            {
                next.Add("\uFFFD", startsToken: true);
            }
        }
    }
}
