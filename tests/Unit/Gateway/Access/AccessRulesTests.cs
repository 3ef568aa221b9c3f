using LlmCluster.Gateway;
using LlmCluster.Gateway.Access;
using LlmCluster.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace LlmCluster.Tests.Unit.Gateway.Access;

public sealed class AccessRulesTests : IDisposable
{
    private const string Secret = "sk-very-secret";
    private readonly TempDirectory _directory = new("access");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Everyone_may_ask_where_there_are_no_keys()
    {
        AccessTable table = Rules(Bind()).Table;

        Assert.True(table.IsOpen);
        Assert.Equal(("default", 0, null), (table.Anonymous.Class.Name, table.Anonymous.Class.Options.Priority, table.Anonymous.Tenant));
        Assert.True(table.Anonymous.Limits.IsUnlimited);
        Assert.Equal(7, Rules(Bind(("Classes:Default:Priority", "7"))).Table.Anonymous.Class.Options.Priority);
    }

    [Fact]
    public void Knows_keys_by_themselves_and_by_their_digests()
    {
        string digest = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData("other"u8));
        AccessTable table = Rules(Bind(
            ("Classes:fast:Priority", "-5"), ("Classes:fast:TtftTarget", "00:00:02"), ("Classes:fast:WhenLate", "reject"),
            ("Keys:0:Key", Secret), ("Keys:0:Tenant", "acme"), ("Keys:0:Class", "FAST"), ("Keys:0:Weight", "2.5"), ("Keys:0:TokenBudget", "1000"), ("Keys:0:BudgetPeriod", "01:00:00"),
            ("Keys:1:KeySha256", digest), ("Keys:1:Tenant", "bolt"), ("Keys:1:Name", "bolt-1"))).Table;

        Assert.False(table.IsOpen);
        Caller first = table.Find(Secret)!;
        Assert.Equal(("acme", "fast", 2.5, 1000L, TimeSpan.FromHours(1)), (first.Tenant, first.Class.Name, first.Weight, first.Limits.TokenBudget, first.Limits.BudgetPeriod));
        Assert.Equal((-5, TimeSpan.FromSeconds(2), WhenLate.Reject), (first.Class.Options.Priority, first.Class.Options.TtftTarget, first.Class.Options.WhenLate));
        Assert.DoesNotContain(Secret, first.ToString(), StringComparison.Ordinal);
        Assert.Equal(("bolt", "name:bolt-1"), (table.Find("other")!.Tenant, table.Find("other")!.Account));
        Assert.All(["", "sk-very-secre", Secret + " ", digest, new string('x', 10_000)], key => Assert.Null(table.Find(key)));
    }

    [Theory]
    [InlineData("Keys:0:Class", "gold", "Gateway:Keys:0:Class is 'gold'; expected one of default")]
    [InlineData("Keys:0:Weight", "0", "Gateway:Keys:0:Weight is '0'")]
    [InlineData("Keys:0:Weight", "NaN", "Gateway:Keys:0:Weight")]
    [InlineData("Keys:0:Weight", "much", "Gateway:Keys:0:Weight")]
    [InlineData("Keys:0:Tenant", "", "Gateway:Keys:0:Tenant is ''")]
    [InlineData("Keys:0:Name", "a b", "Gateway:Keys:0:Name is 'a b'")]
    [InlineData("Keys:0:RequestsPerMinute", "-1", "Gateway:Keys:0:RequestsPerMinute is '-1'")]
    [InlineData("Keys:0:TokensPerMinute", "-1", "Gateway:Keys:0:TokensPerMinute is '-1'")]
    [InlineData("Keys:0:TokenBudget", "1e30", "Gateway:Keys:0:TokenBudget")]
    [InlineData("Keys:0:BudgetPeriod", "00:00:00", "Gateway:Keys:0:BudgetPeriod is '00:00:00'")]
    [InlineData("Keys:0:RequestPerMinute", "5", "Gateway:Keys:0:RequestPerMinute is unknown; expected one of Name, Key, ")]
    [InlineData("Keys:0:KeySha256", "00", "Gateway:Keys:0:Key and Gateway:Keys:0:KeySha256: expected one of them")]
    [InlineData("Keys:0:Key", "", "Gateway:Keys:0:Key and Gateway:Keys:0:KeySha256: expected one of them")]
    [InlineData("Keys:1:Key", Secret, "Gateway:Keys:1 has the same key")]
    [InlineData("Classes:a:Priority", "101", "Gateway:Classes:a:Priority is '101'; expected -100 to 100")]
    [InlineData("Classes:a:TtftTarget", "00:00:00", "Gateway:Classes:a:TtftTarget is '00:00:00'")]
    [InlineData("Classes:a:WhenLate", "panic", "Gateway:Classes:a:WhenLate")]
    [InlineData("Classes:a:WhenLate", "7", "Gateway:Classes:a:WhenLate is '7'; expected reject or queue")]
    [InlineData("Classes:a:QueueTimeout", "-00:00:01", "Gateway:Classes:a:QueueTimeout is '-00:00:01'")]
    [InlineData("Classes:a:MaxQueued", "-1", "Gateway:Classes:a:MaxQueued is '-1'")]
    [InlineData("Classes:a:MaxQueue", "1", "Gateway:Classes:a:MaxQueue is unknown")]
    [InlineData("Admission:OutputTokenWeight", "-1", "Gateway:Admission:OutputTokenWeight is '-1'")]
    public void Names_what_is_wrong_and_never_a_key(string key, string value, string expected)
    {
        var settings = new Dictionary<string, string> { ["Keys:0:Key"] = Secret, ["Keys:0:Tenant"] = "acme", ["Keys:1:Tenant"] = "bolt", ["Keys:1:Key"] = "sk-other", [key] = value };
        var e = Assert.Throws<GatewayOptionsException>(() => Bind([.. settings.Select(pair => (pair.Key, pair.Value))]));

        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_that_share_an_account_have_the_same_limits()
    {
        (string, string)[] keys = [("Keys:0:Key", "a"), ("Keys:0:Tenant", "t"), ("Keys:0:Name", "n"), ("Keys:1:Key", "b"), ("Keys:1:Tenant", "t"), ("Keys:1:Name", "n")];

        AccessTable table = Rules(Bind(keys)).Table;
        Assert.Equal(table.Find("a")!.Account, table.Find("b")!.Account);
        Assert.Contains("'n', which another key has with other limits", Assert.Throws<GatewayOptionsException>(() => Bind([.. keys, ("Keys:1:TokenBudget", "5")])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "it holds no keys")]
    [InlineData("""{"Keys": []}""", "it holds no keys")]
    [InlineData("""{"Keys": [{"Key": "sk-1", "Tenant": "t"},]""", "no JSON that can be read")]
    [InlineData("""{"Kyes": [{"Key": "sk-1", "Tenant": "t"}]}""", "Kyes is unknown; expected one of Classes, Keys")]
    [InlineData("""{"Keys": [{"Key": "sk-1", "Tenant": "t", "Class": "c"}]}""", "Keys:0:Class is 'c'")]
    [InlineData("""{"Keys": [{"Key": "sk-1"}]}""", "Keys:0:Tenant is ''")]
    public void Names_what_is_wrong_in_the_file(string json, string expected)
    {
        string file = Write(json);
        var e = Assert.Throws<GatewayOptionsException>(() => Bind(("KeysFile", file)));

        Assert.StartsWith($"Gateway:KeysFile '{file}'", e.Message, StringComparison.Ordinal);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_there_is_an_error() =>
        Assert.Contains("Gateway:KeysFile '/no/such/file' can't be read", Assert.Throws<GatewayOptionsException>(() => Bind(("KeysFile", "/no/such/file"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Reads_the_file_again_and_keeps_the_last_good_one()
    {
        string file = Write("""{"Classes": {"c": {"Priority": 3}}, "Keys": [{"Key": "one", "Tenant": "t", "Class": "c"}]}""");
        AccessRules rules = Rules(Bind(("KeysFile", file), ("Keys:0:Key", "fixed"), ("Keys:0:Tenant", "u"), ("Classes:c:Priority", "9")));
        Assert.Equal(3, rules.Table.Find("one")!.Class.Options.Priority);

        Write("""{"Keys": [{"Key": "two", "Tenant": "t", "Class": "c"}]}""");
        rules.Refresh();
        Assert.Equal((true, true, true), (rules.Table.Find("one") is null, rules.Table.Find("two") is not null, rules.Table.Find("fixed") is not null));
        Assert.Equal(9, rules.Table.Find("two")!.Class.Options.Priority);

        Write("""{"Keys": []}""");
        rules.Refresh();
        File.Delete(file);
        rules.Refresh();
        Assert.NotNull(rules.Table.Find("two"));

        Write("""{"Keys": [{"Key": "three", "Tenant": "t"}]}""");
        rules.Refresh();
        Assert.Null(rules.Table.Find("two"));
        Assert.NotNull(rules.Table.Find("three"));
    }

    private static AccessRules Rules(GatewayOptions options) => new(options, TimeProvider.System, NullLogger<AccessRules>.Instance);

    private static GatewayOptions Bind(params (string Key, string Value)[] settings) => GatewayOptions.Bind(new ConfigurationBuilder()
        .AddInMemoryCollection([KeyValuePair.Create("Gateway:ModelPath", (string?)"/m"), .. settings.Select(s => KeyValuePair.Create($"Gateway:{s.Key}", (string?)s.Value))]).Build());

    private string Write(string json)
    {
        string file = _directory.Combine("keys.json");
        File.WriteAllText(file, json);
        return file;
    }
}
