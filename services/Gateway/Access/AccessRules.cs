namespace LlmCluster.Gateway.Access;

/// <summary>Who may ask now: keys and classes from the configuration and the keys' file, which is read again when its content changes.</summary>
internal sealed partial class AccessRules : BackgroundService
{
    private static readonly TimeSpan ReadInterval = TimeSpan.FromSeconds(2);

    private readonly GatewayOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<AccessRules> _logger;
    private volatile AccessTable _table;
    private byte[] _content;
    private string? _wrong;

    /// <summary>Reads the rules.</summary>
    /// <exception cref="GatewayOptionsException">They are wrong.</exception>
    public AccessRules(GatewayOptions options, TimeProvider time, ILogger<AccessRules> logger)
    {
        (_options, _time, _logger) = (options, time, logger);
        _content = ReadFile(options);
        _table = Create(options, _content);
    }

    /// <summary>Who may ask now.</summary>
    public AccessTable Table => _table;

    /// <summary>Checks that the rules can be read.</summary>
    /// <exception cref="GatewayOptionsException">They can't; the message names what is wrong.</exception>
    public static void Validate(GatewayOptions options) => Create(options, ReadFile(options));

    /// <summary>Reads the file again if it is another. One that is wrong changes nothing: the last good one holds.</summary>
    internal void Refresh()
    {
        try
        {
            byte[] content = ReadFile(_options);
            if (!content.AsSpan().SequenceEqual(_content))
            {
                _table = Create(_options, content);
                _content = content;
                LogRead(_options.KeysFile!);
            }

            _wrong = null;
        }
        catch (GatewayOptionsException e) when (e.Message == _wrong)
        {
            // It was said already.
        }
        catch (GatewayOptionsException e)
        {
            _wrong = e.Message;
            LogWrong(e.Message);
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (string.IsNullOrEmpty(_options.KeysFile))
        {
            return;
        }

        using var timer = new PeriodicTimer(ReadInterval, _time);
        while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
        {
            Refresh();
        }
    }

    private static byte[] ReadFile(GatewayOptions options)
    {
        if (string.IsNullOrEmpty(options.KeysFile))
        {
            return [];
        }

        try
        {
            return File.ReadAllBytes(options.KeysFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new GatewayOptionsException($"{GatewayOptions.Section}:{nameof(options.KeysFile)} '{options.KeysFile}' can't be read: {e.Message}", e);
        }
    }

    private static AccessTable Create(GatewayOptions options, byte[] content)
    {
        const string At = $"{GatewayOptions.Section}:";
        var configured = new AccessOptions { Classes = options.Classes, Keys = options.Keys };
        configured.Validate(At);
        return string.IsNullOrEmpty(options.KeysFile)
            ? AccessTable.Create((At, configured))
            : AccessTable.Create((At, configured), ($"{At}{nameof(options.KeysFile)} '{options.KeysFile}': ", AccessReader.ReadFile(content, options.KeysFile)));
    }
}
