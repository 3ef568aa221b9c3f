using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server.Internal;

/// <summary>Gives each call its service object: the app's registration if there is one, otherwise a new object.</summary>
internal sealed class ServiceActivator<TService>
    where TService : class
{
    private readonly ObjectFactory<TService> _factory = ActivatorUtilities.CreateFactory<TService>([]);

    /// <param name="created">Whether the object was made here, so that <see cref="ReleaseAsync"/> has to dispose it.</param>
    public TService Create(IServiceProvider services, out bool created)
    {
        TService? registered = services.GetService<TService>();
        created = registered is null;
        return registered ?? _factory(services, []);
    }

    public static ValueTask ReleaseAsync(TService service)
    {
        switch (service)
        {
            case IAsyncDisposable disposable:
                return disposable.DisposeAsync();
            case IDisposable disposable:
                disposable.Dispose();
                break;
        }

        return ValueTask.CompletedTask;
    }
}
