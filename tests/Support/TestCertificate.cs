using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmCluster.Testing;

/// <summary>A certificate for 127.0.0.1 that signs itself, as PEM files that a server can be given.</summary>
internal static class TestCertificate
{
    /// <summary>Writes <c>server.crt</c> and <c>server.key</c> and returns their paths.</summary>
    public static (string CertificateFile, string KeyFile) Write(TempDirectory directory)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=LlmCluster test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return (
            directory.Write("server.crt", certificate.ExportCertificatePem()),
            directory.Write("server.key", key.ExportPkcs8PrivateKeyPem()));
    }
}
