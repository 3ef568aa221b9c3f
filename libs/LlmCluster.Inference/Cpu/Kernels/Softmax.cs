using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu.Kernels;

/// <summary>What an online softmax keeps of each row between tiles of keys.</summary>
internal readonly unsafe struct SoftmaxState
{
    /// <summary>Floats that hold a row's sum of weights lane by lane.</summary>
    public const int SumLanes = 16;

    /// <summary>The score that each row's weights are measured against: weight = e^(score - measure).</summary>
    public readonly float* Measures;

    /// <summary>Sum of each row's weights so far, against the measure; <see cref="SumLanes"/> floats a row.</summary>
    public readonly float* Sums;

    /// <summary>Weighted sum of each row's values so far, against the measure.</summary>
    public readonly float* Result;

    /// <summary>Floats from one row of <see cref="Result"/> to the next.</summary>
    public readonly int Width;

    /// <summary>Lays it out.</summary>
    /// <param name="memory">Room for <see cref="Floats"/>.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="width">Floats of a row of the result: whole panels.</param>
    public SoftmaxState(float* memory, int rows, int width)
    {
        Width = width;
        Result = memory;
        Sums = Result + (rows * width);
        Measures = Sums + Panel.RoundUp(rows * SumLanes);
    }

    /// <summary>Floats of so many rows.</summary>
    public long Floats(int rows) => ((long)rows * Width) + Panel.RoundUp(rows * SumLanes) + Panel.RoundUp(rows);
}

/// <summary>The online softmax (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018) over tiles of 32 keys.</summary>
internal static unsafe class Softmax<S, V>
    where S : struct, ISimd<V>
    where V : struct
{
    private const int TileKeys = AttentionShape.TileKeys;

    // How far scores may outgrow the measure: weights stay below e^8.
    private const float Tolerance = 8;

    /// <summary>
    /// Turns rows of 32 scores into weights against the row's measure. Where scores outgrow it, it becomes their largest,
    /// and what the row has summed up to now is brought to the new one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rows(float* scores, int rows, in SoftmaxState state, int first)
    {
        for (int i = 0; i < rows; i++)
        {
            Rescale(scores + (i * TileKeys), state, first + i);
        }

        // A loop of its own: nothing in it waits for the row before.
        float* sums = state.Sums + (first * SoftmaxState.SumLanes);
        float* measures = state.Measures + first;
        for (int i = 0; i < rows; i++)
        {
            V sum = S.Load(sums);

            // Finite, as a row may not have met a key yet.
            V measure = S.Max(S.Splat(measures[i]), S.Splat(float.MinValue));
            for (int key = 0; key < TileKeys; key += S.Lanes)
            {
                V weight = VectorMath<S, V>.ExpOrZero(S.Subtract(S.Load(scores + key), measure));
                S.Store(scores + key, weight);
                sum = S.Add(sum, weight);
            }

            S.Store(sums, sum);
            scores += TileKeys;
            sums += SoftmaxState.SumLanes;
        }
    }

    /// <summary>Multiplies rows of 32 numbers by what each column is to be multiplied by.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scale(float* scores, int rows, float* scales)
    {
        for (; rows > 0; rows--)
        {
            for (int key = 0; key < TileKeys; key += S.Lanes)
            {
                S.Store(scores + key, S.Multiply(S.Load(scores + key), S.Load(scales + key)));
            }

            scores += TileKeys;
        }
    }

    /// <summary>Gives the keys before <paramref name="low"/> and from <paramref name="high"/> on a score of minus infinity: no weight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mask(float* scores, int low, int high)
    {
        for (int i = 0; i < TileKeys; i += S.Lanes)
        {
            S.Store(scores + i, S.Between(S.Load(scores + i), low - i, high - i, S.Splat(float.NegativeInfinity)));
        }
    }

    /// <summary>Adds what is kept of later keys to what is kept of earlier ones. A row that met none of the later ones stays as it is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Merge(in SoftmaxState later, in SoftmaxState state, int rows)
    {
        for (int row = 0; row < rows; row++)
        {
            float before = state.Measures[row];
            float after = later.Measures[row];
            if (float.IsNegativeInfinity(after))
            {
                continue;
            }

            float most = MathF.Max(before, after);
            state.Measures[row] = most;
            V oldFactor = VectorMath<S, V>.ExpOrZero(S.Splat(before - most));
            V newFactor = VectorMath<S, V>.ExpOrZero(S.Splat(after - most));
            Add(later.Sums + (row * SoftmaxState.SumLanes), newFactor, state.Sums + (row * SoftmaxState.SumLanes), oldFactor, S.Lanes);
            Add(later.Result + (row * later.Width), newFactor, state.Result + (row * state.Width), oldFactor, state.Width);
        }
    }

    /// <summary>Divides a row's weighted sum by the sum of its weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Finish(in SoftmaxState state, int row)
    {
        float* result = state.Result + (row * state.Width);
        V sum = S.Splat(S.Sum(S.Load(state.Sums + (row * SoftmaxState.SumLanes))));
        for (int i = 0; i < state.Width; i += S.Lanes)
        {
            // Keys of weight zero may leave a zero with either sign; adding zero gives it the positive one.
            S.Store(result + i, S.Add(S.Divide(S.Load(result + i), sum), S.Splat(0f)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Rescale(float* scores, in SoftmaxState state, int row)
    {
        V most = S.Load(scores);
        for (int i = S.Lanes; i < TileKeys; i += S.Lanes)
        {
            most = S.Max(most, S.Load(scores + i));
        }

        // Weights a little above 1 do no harm, and most rows keep their first measure.
        float before = state.Measures[row];
        float largest = S.Largest(most);
        if (!(largest > before + Tolerance))
        {
            return;
        }

        V factor = VectorMath<S, V>.ExpOrZero(S.Splat(before - largest));
        state.Measures[row] = largest;
        Scale(state.Sums + (row * SoftmaxState.SumLanes), S.Lanes, factor);
        Scale(state.Result + (row * state.Width), state.Width, factor);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float* later, V newFactor, float* values, V oldFactor, int count)
    {
        for (int i = 0; i < count; i += S.Lanes)
        {
            S.Store(values + i, S.MultiplyAdd(S.Load(later + i), newFactor, S.Multiply(S.Load(values + i), oldFactor)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(float* values, int count, V factor)
    {
        for (int i = 0; i < count; i += S.Lanes)
        {
            S.Store(values + i, S.Multiply(S.Load(values + i), factor));
        }
    }
}
