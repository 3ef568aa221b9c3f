namespace LlmCluster.Inference.Models;

/// <summary>
/// A model in Hugging Face layout on disk: <c>config.json</c>, <c>generation_config.json</c> and the weights in
/// safetensors files, which are memory-mapped. Safe to use from several threads at once, except for disposing.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private readonly WeightFiles _weights;

    private Checkpoint(string directory, CheckpointSettings settings, WeightFiles weights)
    {
        Directory = directory;
        Config = settings.Config;
        Generation = settings.Generation;
        _weights = weights;
        Fingerprint = CheckpointFingerprint.Compute(Config, CheckTensors());
    }

    /// <summary>Full path of the checkpoint.</summary>
    public string Directory { get; }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>What the checkpoint says about generation.</summary>
    public GenerationDefaults Generation { get; }

    /// <summary>
    /// Identity of the model, 32 hexadecimal digits: a hash over the configuration, the names, number formats and
    /// shapes of all tensors, and a sample of their bytes (all bytes of tensors up to 64 KiB, sixteen evenly spaced
    /// pages of larger ones).
    /// </summary>
    public string Fingerprint { get; }

    /// <summary>
    /// Opens a checkpoint and checks it: the configuration is one that the engine runs, the files keep to their
    /// format, and every tensor of the architecture is there with the right shape.
    /// </summary>
    /// <exception cref="CheckpointException">It can't be used; the message names file, tensor or key, and expectation.</exception>
    public static Checkpoint Open(string directory)
    {
        directory = Path.GetFullPath(directory);
        CheckpointSettings settings = CheckpointSettings.Read(directory);
        WeightFiles weights = WeightFiles.Open(directory);
        try
        {
            return new Checkpoint(directory, settings, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Whether the files hold a tensor of this name.</summary>
    public bool Contains(string name) => _weights.TryGet(name, out _, out _);

    /// <summary>A tensor by its name; see <see cref="ModelTensors"/>.</summary>
    /// <param name="name">Name of the tensor.</param>
    /// <param name="shape">The shape that it must have; none: any.</param>
    /// <exception cref="CheckpointException">There is no such tensor, or it has another shape or an unsupported number format.</exception>
    public TensorView GetTensor(string name, params ReadOnlySpan<int> shape) => GetTensor(name, shape, dtype: null);

    /// <summary>A tensor that <see cref="ModelTensors.All"/> lists.</summary>
    /// <exception cref="CheckpointException">There is no such tensor, or it has another shape or number format.</exception>
    internal TensorView GetTensor(TensorSpec spec) => GetTensor(spec.Name, spec.Shape, spec.Dtype);

    /// <summary>A matrix by the name that it has where it is not quantised; null if it is not.</summary>
    /// <exception cref="CheckpointException">A part of it is missing, or has another shape or number format.</exception>
    internal QuantizedMatrix? FindQuantized(string name, int outputs, int inputs) =>
        Config.Quantization is { } quantization && name != ModelTensors.Embedding
            ? new QuantizedMatrix(quantization, inputs, GetTensor(quantization.Integers(name, outputs, inputs)), GetTensor(quantization.Scales(name, outputs, inputs)))
            : null;

    /// <summary>Unmaps the files. Views of tensors are invalid from then on.</summary>
    public void Dispose() => _weights.Dispose();

    private TensorView GetTensor(string name, ReadOnlySpan<int> shape, TensorDtype? dtype)
    {
        if (!_weights.TryGet(name, out SafetensorsFile? file, out SafetensorsEntry? entry))
        {
            string expected = shape.IsEmpty ? "" : $"; expected one of shape {ModelTensors.Format(shape)}";
            throw new CheckpointException(_weights.MainFile, name, $"is missing{expected}.");
        }

        if (!shape.IsEmpty && !shape.SequenceEqual(entry.Shape))
        {
            throw new CheckpointException(file.Path, name, $"has shape {ModelTensors.Format(entry.Shape)}; expected {ModelTensors.Format(shape)}.");
        }

        TensorDtype? found = entry.Dtype switch
        {
            "F32" => TensorDtype.F32,
            "F16" => TensorDtype.F16,
            "BF16" => TensorDtype.BF16,
            "I8" when dtype is not null => TensorDtype.I8,
            "U8" when dtype is not null => TensorDtype.U8,
            _ => null,
        };
        return found is { } stored && stored == (dtype ?? stored)
            ? new TensorView(file, name, stored, entry.Shape, entry.Begin)
            : throw new CheckpointException(file.Path, name, $"has dtype {entry.Dtype}; expected {dtype?.ToString() ?? "F32, F16 or BF16"}.");
    }

    private List<TensorView> CheckTensors()
    {
        IReadOnlyList<TensorSpec> specs = ModelTensors.All(Config);
        var views = new List<TensorView>(specs.Count);
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (TensorSpec spec in specs)
        {
            views.Add(GetTensor(spec));
            known.Add(spec.Name);
        }

        foreach (string name in _weights.Names.Order(StringComparer.Ordinal))
        {
            if (!known.Contains(name) && !ModelTensors.MayBeIgnored(name, Config) && _weights.TryGet(name, out SafetensorsFile? file, out _))
            {
                throw new CheckpointException(file.Path, name, $"is not part of a {ModelConfigReader.ClassName(Config.Architecture)} with this {ModelConfigReader.FileName}.");
            }
        }

        return views;
    }
}
