using System.Runtime.CompilerServices;

namespace LlmCluster.Inference.Cpu;

/// <summary>A list in pinned memory that is refilled from pass to pass and only grows.</summary>
internal sealed unsafe class PinnedList<T>
    where T : unmanaged
{
    private T[] _items = GC.AllocateUninitializedArray<T>(64, pinned: true);

    public int Count { get; private set; }

    /// <summary>The first item; valid until the list grows.</summary>
    public T* Pointer => (T*)Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_items));

    public ref T this[int index] => ref _items.AsSpan(0, Count)[index];

    public void Clear() => Count = 0;

    public void Add(T item)
    {
        EnsureRoom(1);
        _items[Count++] = item;
    }

    public void AddRange(ReadOnlySpan<T> items)
    {
        EnsureRoom(items.Length);
        items.CopyTo(_items.AsSpan(Count));
        Count += items.Length;
    }

    private void EnsureRoom(int more)
    {
        if (Count + more > _items.Length)
        {
            T[] larger = GC.AllocateUninitializedArray<T>(Math.Max(Count + more, 2 * _items.Length), pinned: true);
            _items.AsSpan(0, Count).CopyTo(larger);
            _items = larger;
        }
    }
}
