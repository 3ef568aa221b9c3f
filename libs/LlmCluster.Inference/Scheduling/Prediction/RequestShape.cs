using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace LlmCluster.Inference.Scheduling.Prediction;

/// <summary>What is known of a request before it has generated anything: what its output's length is predicted from.</summary>
/// <param name="Model">Identity of the model.</param>
/// <param name="Tenant">Whose request it is, from <see cref="TenantKey"/>; 0 for nobody's in particular.</param>
/// <param name="Kind">What it asks for.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="MaxTokens">Most tokens of the output; it is cut there.</param>
internal readonly record struct RequestShape(string Model, ulong Tenant, RequestKind Kind, int PromptTokens, int MaxTokens)
{
    /// <summary>A tenant's key: 64 bits of SHA-256, so that long names take no memory and none are kept.</summary>
    public static ulong TenantKey(string tenant) =>
        tenant.Length == 0 ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(tenant)));

    /// <summary>Octave of the prompt's length.</summary>
    public int PromptOctave => BitOperations.Log2((uint)Math.Max(PromptTokens, 1));

    /// <summary>Octave of the most tokens.</summary>
    public int MaxOctave => BitOperations.Log2((uint)Math.Max(MaxTokens, 1));
}
