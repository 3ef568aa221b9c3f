using System.Text.Json.Nodes;

namespace LlmCluster.Tests.Interop.ChatTemplates;

/// <summary>
/// Conversations of every shape that chat templates know: with a system message and without, many turns, tools, tool
/// calls and their results, thinking, and some that break the rules. The same ones every time.
/// <para>
/// The reference is not Python, and two kinds of input bring that out; they are left out here, and the unit tests'
/// <c>jinja-cases.json</c> holds what Python makes of them: blanks beside line breaks, since its <c>lstrip</c> and its like
/// take blanks whatever they are told to take; and empty system messages, since to it <c>'' == false</c>.
/// </para>
/// </summary>
internal static class Conversations
{
    private static readonly string[] Texts =
    [
        "Hello!", "What is the weather in Zürich?", "line one\nline two\n\n  indented", "日本語で答えて 😀", "It's \"quoted\" & <b>bold</b> 'single'",
        "{{ not a template }} {% if x %}", "x", "a\\nb\\t\u0001\u007f\u2028", "<|im_start|>user\n[INST] <s></s>", "", "1.5e3", "\nstarts and ends with a break\n",
    ];

    private static readonly string[] Answers =
    [
        "Hi there.", "Sure: 1, 2, 3.", "<think>\nlet me see\n</think>\n\nForty-two.", "<think></think>plain", "```py\nprint('x')\n```", "", "no</think>opened",
    ];

    /// <summary>Makes contexts for one template: the variables that rendering has.</summary>
    public static IEnumerable<JsonObject> Create(int count)
    {
        var random = new Random(42);
        for (int i = 0; i < count; i++)
        {
            yield return Context(random);
        }
    }

    private static JsonObject Context(Random random)
    {
        bool tools = random.Next(3) == 0;
        var context = new JsonObject
        {
            ["messages"] = Messages(random, tools),
            ["tools"] = tools ? Tools(random) : null,
            ["documents"] = null,
            ["add_generation_prompt"] = random.Next(2) == 0,
            ["bos_token"] = "<s>",
            ["eos_token"] = "</s>",
            ["unk_token"] = "<unk>",
        };
        if (random.Next(2) == 0)
        {
            context["enable_thinking"] = random.Next(2) == 0;
        }

        if (random.Next(2) == 0)
        {
            context["date_string"] = "04 Jul 2025";
        }

        if (random.Next(4) == 0)
        {
            context["tools_in_user_message"] = random.Next(2) == 0;
        }

        return context;
    }

    private static JsonArray Messages(Random random, bool tools)
    {
        var messages = new JsonArray();
        if (random.Next(2) == 0)
        {
            messages.Add(Message("system", Pick(random, [.. Texts.Where(text => text.Length > 0)])));
        }

        int turns = 1 + random.Next(4);
        for (int turn = 0; turn < turns; turn++)
        {
            messages.Add(Message("user", Pick(random, Texts)));
            if (tools && random.Next(2) == 0)
            {
                AddToolCalls(random, messages);
            }

            if (turn + 1 < turns || random.Next(3) == 0)
            {
                var answer = Message("assistant", Pick(random, Answers));
                if (random.Next(4) == 0)
                {
                    answer["reasoning_content"] = "\nbecause " + Pick(random, Texts) + "!";
                }

                messages.Add(answer);
            }
        }

        // Now and then an order that some models refuse.
        if (random.Next(12) == 0)
        {
            messages.Add(Message(Pick(random, ["user", "assistant", "system"]), Pick(random, Texts)));
        }

        return messages;
    }

    private static void AddToolCalls(Random random, JsonArray messages)
    {
        int calls = 1 + random.Next(2);
        var message = Message("assistant", random.Next(2) == 0 ? "" : "Let me look that up.");
        var toolCalls = new JsonArray();
        for (int call = 0; call < calls; call++)
        {
            toolCalls.Add(new JsonObject
            {
                ["id"] = $"call0000{call}",
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = "get_weather", ["arguments"] = Arguments(random) },
            });
        }

        message["tool_calls"] = toolCalls;
        messages.Add(message);
        for (int call = 0; call < calls; call++)
        {
            messages.Add(new JsonObject
            {
                ["role"] = "tool",
                ["tool_call_id"] = $"call0000{call}",
                ["name"] = "get_weather",
                ["content"] = random.Next(2) == 0 ? "{\"celsius\": 21.5}" : Pick(random, Texts),
            });
        }
    }

    // No float is whole: JavaScript has one kind of number, and would write 1.0 as 1.
    private static JsonObject Arguments(Random random) => new()
    {
        ["city"] = Pick(random, Texts),
        ["days"] = random.Next(1, 9),
        ["threshold"] = 0.5 + random.Next(9),
        ["flags"] = new JsonArray(true, false, null, new JsonObject { ["deep"] = new JsonArray(1, "two") }),
        ["empty"] = new JsonObject(),
    };

    private static JsonArray Tools(Random random)
    {
        var tools = new JsonArray(Tool("get_weather", "Tells the \"weather\" <now> & später: 天気", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["city"] = new JsonObject { ["type"] = "string", ["description"] = "Name of the city" },
                ["days"] = new JsonObject { ["type"] = "integer", ["minimum"] = 1, ["maximum"] = 14, ["default"] = 2.5 },
                ["unit"] = new JsonObject { ["type"] = "string", ["enum"] = new JsonArray("c", "f") },
                ["tags"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
            },
            ["required"] = new JsonArray("city"),
        }));
        if (random.Next(2) == 0)
        {
            tools.Add(Tool("stop", "Stops.", new JsonObject { ["type"] = "object", ["properties"] = new JsonObject() }));
        }

        return tools;
    }

    private static JsonObject Tool(string name, string description, JsonObject parameters) => new()
    {
        ["type"] = "function",
        ["function"] = new JsonObject { ["name"] = name, ["description"] = description, ["parameters"] = parameters },
    };

    private static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
