using LlmCluster.Inference.Engine;
using LlmCluster.Inference.Sampling;

namespace LlmCluster.Tests.Unit.Engine;

/// <summary>Random requests for a random small engine; the same for the same seed.</summary>
internal sealed class Workload
{
    private readonly Random _random;
    private readonly List<int[]> _bases = [];

    public Workload(int seed)
    {
        Seed = seed;
        _random = new Random(seed);
        BlockSize = Pick(1, 2, 4, 8);
        PoolTokens = _random.Next(40, 200);
        Options = new EngineOptions { MaxRunning = _random.Next(1, 10), AdmissionQuantile = seed % 3 == 0 ? 0.5 : 0 };
        Options = Options with { MaxBatchTokens = Options.MaxRunning + BlockSize + _random.Next(0, 40) };
        for (int i = 0; i < 3; i++)
        {
            _bases.Add(Tokens(60));
        }
    }

    public int Seed { get; }

    public int BlockSize { get; }

    public int PoolTokens { get; }

    public EngineOptions Options { get; }

    public HashModel NewModel() => new(blocks: Math.Max(PoolTokens / BlockSize, 1), blockSize: BlockSize);

    /// <summary>Requests whose prompts fit the pool; their answers may not.</summary>
    public List<GenerationRequest> Requests(int count)
    {
        List<GenerationRequest> requests = [];
        while (requests.Count < count)
        {
            GenerationRequest request = NewRequest(requests.Count);
            int choices = _random.Next(4) == 0 ? _random.Next(2, 5) : 1;
            for (int choice = 0; choice < choices; choice++)
            {
                requests.Add(request with
                {
                    Id = $"{Seed}/{requests.Count}",
                    Sampling = request.Sampling with { Seed = request.Sampling.Seed + (ulong)choice },
                });
            }
        }

        return requests;
    }

    public int Next(int limit) => _random.Next(limit);

    private GenerationRequest NewRequest(int index)
    {
        int shared = _random.Next(0, 50);
        int own = shared == 0 ? _random.Next(1, 40) : _random.Next(0, 12);
        int[] prompt = [.. Pick([.. _bases])[..shared], .. Tokens(own)];
        int capacity = PoolTokens / BlockSize * BlockSize;
        prompt = prompt[..Math.Min(prompt.Length, capacity)];
        if (prompt.Length == 0)
        {
            prompt = [1];
        }

        int maxTokens = _random.Next(1, 40);
        return new GenerationRequest
        {
            Id = $"{Seed}/{index}",
            Prompt = prompt,
            MaxTokens = maxTokens,
            MinTokens = _random.Next(3) == 0 ? _random.Next(0, maxTokens + 1) : 0,
            StopTokenIds = _random.Next(2) == 0 ? [_random.Next(48), _random.Next(48)] : [],
            CacheSalt = _random.Next(4) == 0 ? "other" : "",
            Sampling = new SamplingOptions
            {
                Temperature = Pick(0f, 0.7f, 1f, 1.5f),
                TopP = Pick(1f, 0.9f, 0.5f),
                TopK = Pick(0, 0, 5),
                MinP = Pick(0f, 0f, 0.05f),
                RepetitionPenalty = Pick(1f, 1f, 1.2f),
                PresencePenalty = Pick(0f, 0f, 0.5f),
                FrequencyPenalty = Pick(0f, 0f, 0.3f),
                LogitBias = _random.Next(5) == 0 ? new Dictionary<int, float> { [3] = 2, [7] = -100 } : null,
                Seed = (ulong)_random.NextInt64(),
                TopLogprobs = Pick(-1, -1, 0, 2),
            },
        };
    }

    private int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(48))];

    private T Pick<T>(params T[] values) => values[_random.Next(values.Length)];
}
