"""Tool calls in the template's format, and answers from what tools return."""

import json

import words as w
from conversation import assistant, conversation, question, tool_result, user


class _Family:
    """Tools that do the same under different names, with what users say to have them called."""

    def __init__(self, names, parameters, requests, result=None, answer=None):
        self.names = names
        self.parameters = parameters
        self.requests = requests
        self.result = result
        self.answer = answer


_INTEGER = {"minutes", "people", "amount"}
_FAMILIES = [
    _Family(["get_weather", "weather_report", "check_weather"], {"city": ["city", "town", "place"]},
            ["What is the weather in {city}?", "How is the weather in {city} today?", "Is it warm in {city}?"],
            '{{"degrees": {n}}}', "It is {n} degrees in {city}."),
    _Family(["set_timer", "start_timer"], {"minutes": ["minutes", "duration"]},
            ["Set a timer for {minutes} minutes.", "Start a timer of {minutes} minutes.", "Wake me in {minutes} minutes."],
            '{{"set": true}}', "The timer is set for {minutes} minutes."),
    _Family(["send_message", "write_message"], {"to": ["to", "person"], "text": ["text", "message"]},
            ["Tell {to} that {text}.", "Send {to} the message: {text}.", "Write to {to}: {text}."],
            '{{"sent": true}}', "I told {to} that {text}."),
    _Family(["find_route", "plan_route"], {"from": ["from", "start"], "to": ["to", "end"]},
            ["How do I get from {from} to {to}?", "Find the way from {from} to {to}."],
            '{{"minutes": {n}}}', "It takes {n} minutes from {from} to {to}."),
    _Family(["get_price", "price_of"], {"item": ["item", "thing"]},
            ["How much is the {item}?", "What does the {item} cost?"],
            '{{"price": {n}}}', "The {item} costs {n}."),
    _Family(["book_table", "reserve_table"], {"name": ["name", "guest"], "people": ["people", "seats"]},
            ["Book a table for {people} people for {name}.", "Reserve a table for {people} in the name of {name}."],
            '{{"table": {n}}}', "{name} has table {n}."),
    _Family(["find_person", "locate_person"], {"person": ["person", "name"]},
            ["Where is {person} now?", "Find {person} for me."],
            '{{"room": {n}}}', "{person} is in room {n}."),
    _Family(["get_code", "look_up_code"], {"item": ["item", "object"]},
            ["Look up the code of the {item}.", "Find the code of the {item}."],
            '{{"code": {n}}}', "The code of the {item} is {n}."),
    _Family(["add_to_list", "add_item"], {"item": ["item", "product"], "amount": ["amount", "count"]},
            ["Put {amount} times {item} on my list.", "Add {amount} times {item} to the list."],
            '{{"added": true}}', "I put {amount} times {item} on the list."),
]


class _Tool:
    def __init__(self, words, family):
        self.family = family
        self.name = words.pick(family.names)
        self.parameters = {key: words.pick(names) for key, names in family.parameters.items()}

    def describe(self):
        properties = {name: {"type": "integer" if key in _INTEGER else "string"} for key, name in self.parameters.items()}
        return {"type": "function", "function": {"name": self.name, "parameters": {
            "type": "object", "properties": properties, "required": list(properties)}}}

    def use(self, words):
        """What the user says, the call, what it returns and the final answer."""
        used = set()
        make = {
            "city": words.town, "from": words.town, "person": words.person, "name": words.person, "item": words.thing,
            "minutes": lambda _: int(words.number(2, 90)), "people": lambda _: int(words.number(2, 30)),
            "amount": lambda _: int(words.number(2, 40)), "text": words.phrase,
            "to": words.person if "text" in self.parameters else words.town,
        }
        values = {key: make[key](used) for key in self.parameters}
        call = {"name": self.name, "arguments": {self.parameters[key]: values[key] for key in values}}
        shown = values | {"n": words.number(10, 999)}
        family = self.family
        return words.pick(family.requests).format(**shown), call, family.result.format(**shown), family.answer.format(**shown)


def _offer(rng, held_out, most):
    words = w.Words(rng, held_out)
    return words, [_Tool(words, family) for family in rng.sample(_FAMILIES, rng.randint(1, most))]


def written(call):
    return f"<tool_call>{json.dumps(call)}</tool_call>"


def train(rng, length):
    words, tools = _offer(rng, False, 4)
    messages = []
    for _ in range(max(1, min(8, (length - 50) // 70))):
        text, call, result, answer = rng.choice(tools).use(words)
        messages += [user(text), assistant(written(call))]
        if rng.random() < 0.7:
            messages += [tool_result(result), assistant(answer)]
    return conversation(messages, [tool.describe() for tool in tools])


def held_out(rng):
    words, tools = _offer(rng, True, 4)
    text, call, _, _ = rng.choice(tools).use(words)
    return question([user(text)], {"kind": "tool", **call}, written(call), [tool.describe() for tool in tools], max_tokens=64)
