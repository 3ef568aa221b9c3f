using LlmCluster.Api.Errors;
using LlmCluster.Gateway.Access;
using LlmCluster.Gateway.Admission;
using LlmCluster.Testing;
using Xunit;
using static LlmCluster.Tests.Unit.Gateway.Admission.AdmissionWorld;

namespace LlmCluster.Tests.Unit.Gateway.Admission;

public sealed class AdmissionQueueTests
{
    private static readonly AdmissionRefusal.NotNow Late = new("It is late.", TimeSpan.FromSeconds(7), HoldsOthers: false);

    [Fact]
    public async Task Places_at_once_while_there_is_room()
    {
        await using var world = new AdmissionWorld(room: 2);

        Assert.Equal("a", await world.AdmitAsync("a", Request()));
        Assert.Equal("b", await world.AdmitAsync("b", Request()));
        Assert.Equal((0, 0, 2), (world.Queue.Length, world.Room, world.Attempts));
        Assert.Empty(world.Queue.Lengths());
    }

    [Fact]
    public async Task Goes_by_priority_then_by_arrival()
    {
        await using var world = new AdmissionWorld(room: 0);
        ServiceClass batch = Class("batch", 5), fast = Class("fast", -5);
        Task[] all = [
            world.AdmitAsync("batch-1", Request(@class: batch)), world.AdmitAsync("1", Request()), world.AdmitAsync("2", Request()),
            world.AdmitAsync("fast-1", Request(@class: fast)), world.AdmitAsync("batch-2", Request(@class: batch)), world.AdmitAsync("fast-2", Request(@class: fast))];
        Assert.Equal([("batch", 2), ("c", 2), ("fast", 2)], world.Queue.Lengths().Order());

        List<string> order = [];
        foreach (Task _ in all)
        {
            world.Release();
            order.Add(await world.NextAsync());
        }

        await Task.WhenAll(all);
        Assert.Equal(["fast-1", "fast-2", "1", "2", "batch-1", "batch-2"], order);
        Assert.Equal([("batch", 0), ("c", 0), ("fast", 0)], world.Queue.Lengths().Order());
    }

    [Fact]
    public async Task Goes_on_to_the_next_as_long_as_there_is_room()
    {
        await using var world = new AdmissionWorld(room: 0);
        Task[] all = [.. Enumerable.Range(0, 10).Select(i => world.AdmitAsync($"{i}", Request()))];

        world.Release(10);
        await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal((0, 0), (world.Queue.Length, world.Room));
    }

    [Fact]
    public async Task A_newcomer_does_not_pass_those_that_wait()
    {
        await using var world = new AdmissionWorld(room: 0);
        Task<string> first = world.AdmitAsync("first", Request());
        int tried = world.Attempts;

        Task<string> second = world.AdmitAsync("second", Request());
        Assert.Equal(tried, world.Attempts);
        world.Release();
        Assert.Equal("first", await world.NextAsync());

        // One with a better right is tried at once, though nothing was released.
        Task<string> fast = world.AdmitAsync("fast", Request(@class: Class("fast", -1)));
        await Eventually.TrueAsync(() => world.Attempts > tried + 1);
        world.Release();
        Assert.Equal("fast", await world.NextAsync());
        world.Release();
        await Task.WhenAll(first, second, fast);
    }

    [Fact]
    public async Task One_that_is_late_holds_up_its_own_class_alone()
    {
        await using var world = new AdmissionWorld(room: 0);
        bool late = true;
        ServiceClass strict = Class("strict", -1);
        Task<string> held = world.Queue.AdmitAsync<string>(
            Request(@class: strict), _ => ValueTask.FromResult(Volatile.Read(ref late) ? Late : world.Try("held")), default).AsTask();
        Task<string> behind = world.AdmitAsync("behind", Request(@class: strict));
        Task<string> other = world.AdmitAsync("other", Request());

        world.Release();
        Assert.Equal("other", await world.NextAsync());
        Assert.Equal((false, false), (held.IsCompleted, behind.IsCompleted));
        world.Release();
        Volatile.Write(ref late, false);
        world.Release();
        Assert.Equal(["held", "behind"], await Task.WhenAll(held, behind));
        Assert.True(other.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task One_that_lacks_room_holds_up_all_behind_it()
    {
        await using var world = new AdmissionWorld(room: 0);
        bool small = true;
        var full = new AdmissionRefusal.NotNow("It is large.", null, HoldsOthers: true);
        Task<string> large = world.Queue.AdmitAsync<string>(
            Request(@class: Class("large", -1)), _ => ValueTask.FromResult(Volatile.Read(ref small) ? full : world.Try("large")), default).AsTask();
        Task<string> other = world.AdmitAsync("other", Request());
        int tried = world.Attempts;

        world.Release();
        world.Release();
        Assert.Equal((tried, false), (world.Attempts, other.IsCompleted));
        Volatile.Write(ref small, false);
        world.Queue.Signal();
        Assert.Equal("large", await large.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal("other", await world.NextAsync());
        await other;
    }

    [Fact]
    public async Task Is_tried_again_by_the_clock_when_no_signal_comes()
    {
        await using var world = new AdmissionWorld(room: 0);
        bool open = false;
        Task<string> waits = world.Queue.AdmitAsync<string>(
            Request(), _ => ValueTask.FromResult(Volatile.Read(ref open) ? AdmissionAttempt<string>.Placed("x") : Late), default).AsTask();

        Volatile.Write(ref open, true);
        world.Time.Advance(TimeSpan.FromSeconds(0.25));
        Assert.Equal("x", await waits.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, world.Time.Timers);
    }

    [Fact]
    public async Task Tells_who_waited_for_too_long_why_and_when_again()
    {
        await using var world = new AdmissionWorld(room: 0);
        Task first = world.Queue.AdmitAsync<string>(Request(@class: Class("strict")), _ => ValueTask.FromResult<AdmissionAttempt<string>>(Late), default).AsTask();
        world.Time.Advance(TimeSpan.FromSeconds(30));

        ApiError error = await ErrorAsync(first);
        Assert.Equal((429, "queue_timeout", TimeSpan.FromSeconds(7)), (error.Status, error.Code, error.RetryAfter));
        Assert.Equal("The request waited 30 s in the gateway's queue, as long as class 'strict' allows. It is late. Try again in 7 s.", error.Message);
        Assert.Equal((0, 0), (world.Queue.Length, world.Time.Timers));

        // Whose turn never came has no reason of its own.
        Task<string> before = world.AdmitAsync("before", Request(@class: new ServiceClass("patient", new ClassOptions { QueueTimeout = TimeSpan.FromHours(1) })));
        Task behind = world.AdmitAsync("behind", Request());
        world.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Contains("class 'c' allows. Others were before it.", (await ErrorAsync(behind)).Message, StringComparison.Ordinal);
        world.Release();
        await before.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Refuses_at_once_what_the_queue_may_not_hold()
    {
        await using var world = new AdmissionWorld(room: 0);
        ServiceClass two = Class("two", maxQueued: 2), none = Class("none", maxQueued: 0);
        Task<string>[] waiting = [world.AdmitAsync("1", Request(@class: two)), world.AdmitAsync("2", Request(@class: two))];

        ApiError error = await ErrorAsync(world.AdmitAsync("3", Request(@class: two)));
        Assert.Equal((429, "queue_full", TimeSpan.FromSeconds(1)), (error.Status, error.Code, error.RetryAfter));
        Assert.Contains("The queue of class 'two' holds as many requests as it may (2).", error.Message, StringComparison.Ordinal);
        Assert.Equal("queue_full", (await ErrorAsync(world.AdmitAsync("4", Request(@class: none)))).Code);

        Assert.Equal(2, world.Queue.Length);
        world.Release(2);
        await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task What_is_refused_for_good_or_fails_ends_and_the_next_one_is_tried()
    {
        await using var world = new AdmissionWorld(room: 0);
        int tries = 0;
        AdmissionAttempt<string> Once() => Interlocked.Increment(ref tries) == 1 ? Late : new AdmissionRefusal.Never(ApiError.Invalid("No.", code: "no"));
        Task never = world.Queue.AdmitAsync<string>(Request(), _ => ValueTask.FromResult(Once()), default).AsTask();
        int fails = 0;
        Task failing = world.Queue.AdmitAsync<string>(
            Request(), _ => Interlocked.Increment(ref fails) == 0 ? default : throw new InvalidOperationException("defect"), default).AsTask();
        Task<string> third = world.AdmitAsync("third", Request());

        world.Release();
        Assert.Equal("no", (await ErrorAsync(never)).Code);
        await Assert.ThrowsAsync<InvalidOperationException>(() => failing.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal("third", await third.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, world.Queue.Length);
    }

    [Fact]
    public async Task Who_hangs_up_leaves_and_is_never_tried_again()
    {
        await using var world = new AdmissionWorld(room: 0);
        using var hangUp = new CancellationTokenSource();
        Task<string> first = world.AdmitAsync("first", Request(), hangUp.Token);
        Task<string> second = world.AdmitAsync("second", Request());

        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(TimeSpan.FromSeconds(30)));
        await Eventually.TrueAsync(() => world.Queue.Length == 1);
        world.Release();
        Assert.Equal("second", await world.NextAsync());
        await second;
        Assert.Equal(0, world.Queue.Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_placement_that_was_made_is_returned_though_the_time_was_up_meanwhile(bool hangsUp)
    {
        await using var world = new AdmissionWorld(room: 0);
        using var hangUp = new CancellationTokenSource();
        var tried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var end = new TaskCompletionSource<AdmissionAttempt<string>>(TaskCreationOptions.RunContinuationsAsynchronously);
        int tries = 0;
        Task<string> waits = world.Queue.AdmitAsync(
            Request(),
            _ =>
            {
                if (Interlocked.Increment(ref tries) == 1)
                {
                    return ValueTask.FromResult<AdmissionAttempt<string>>(Late);
                }

                tried.SetResult();
                return new ValueTask<AdmissionAttempt<string>>(end.Task);
            },
            hangUp.Token).AsTask();

        world.Queue.Signal();
        await tried.Task.WaitAsync(TimeSpan.FromSeconds(30));
        if (hangsUp)
        {
            await hangUp.CancelAsync();
        }
        else
        {
            world.Time.Advance(TimeSpan.FromMinutes(1));
        }

        end.SetResult(AdmissionAttempt<string>.Placed("mine"));
        Assert.Equal("mine", await waits.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, world.Queue.Length);
    }

    [Fact]
    public async Task What_is_released_during_an_attempt_is_not_missed()
    {
        await using var world = new AdmissionWorld(room: 0);
        bool free = false;
        int tries = 0;
        Task<string> waits = world.Queue.AdmitAsync<string>(
            Request(),
            _ =>
            {
                // It looks, finds nothing, and only then the room comes, with its signal.
                bool found = Volatile.Read(ref free);
                if (Interlocked.Increment(ref tries) <= 2)
                {
                    Volatile.Write(ref free, tries == 2);
                    world.Queue.Signal();
                }

                return ValueTask.FromResult(found ? AdmissionAttempt<string>.Placed("x") : Late);
            },
            default).AsTask();

        Assert.Equal("x", await waits.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(3, tries);
    }

    [Fact]
    public async Task Nothing_is_lost_under_threads_that_come_go_and_hang_up()
    {
        const int Room = 5, Threads = 12, Each = 400;
        await using var world = new AdmissionWorld(Room);
        ServiceClass[] classes = [Class("a", -1), Class("b"), Class("c", 1)];
        int served = 0, hungUp = 0;
        await Task.WhenAll(Enumerable.Range(0, Threads).Select(thread => Task.Run(async () =>
        {
            var random = new Random(thread);
            await Task.WhenAll(Enumerable.Range(0, Each).Select(async i =>
            {
                using var hangUp = new CancellationTokenSource();
                var request = Request($"tenant-{random.Next(4)}", random.Next(1, 50), 1, classes[random.Next(3)]);
                int cancelAfter = random.Next(3) == 0 ? random.Next(20) : -1;
                Task<string> admitted = world.Queue.AdmitAsync(
                    request,
                    async ct =>
                    {
                        await Task.Yield();
                        return world.Try("x");
                    },
                    hangUp.Token).AsTask();
                for (int wait = 0; wait < cancelAfter; wait++)
                {
                    await Task.Yield();
                }

                if (cancelAfter >= 0)
                {
                    await hangUp.CancelAsync();
                }

                try
                {
                    await admitted;
                    Interlocked.Increment(ref served);
                    await Task.Yield();
                    world.Release();
                    world.Queue.Served(request, 10);
                }
                catch (OperationCanceledException)
                {
                    Interlocked.Increment(ref hungUp);
                }
            }));
        }))).WaitAsync(TimeSpan.FromSeconds(120));

        Assert.Equal((Threads * Each, Room, 0), (served + hungUp, world.Room, world.Queue.Length));
        Assert.True(hungUp > 0, "None hung up while it waited.");
        Assert.All(world.Queue.Lengths(), pair => Assert.Equal(0, pair.Length));
        Assert.Equal(0, world.Time.Timers);
    }
}
