"""Greetings, who the model is, system prompts, and what it does not know."""

import words as w
from conversation import assistant, contains, conversation, exact, question, system, user
from skills import arithmetic, chat

NAME = "Pebble"
UNKNOWN = "I don't know about that."

_SMALL_TALK = [
    (["Hello!", "Hi!", "Hello there.", "Good morning!", "Hey!"], "Hello! How can I help you?"),
    (["How are you?", "How are you today?"], "I am fine, thank you."),
    (["Thank you!", "Thanks!", "Thank you very much."], "You are welcome!"),
    (["Goodbye!", "Bye!", "See you later."], "Goodbye!"),
    (["What can you do?", "How can you help me?"],
     "I can remember facts, tell short stories, talk about Alderbrook, add small numbers, copy lists, write JSON and call tools."),
]
_WHO = ["Who are you?", "What is your name?", "What are you called?"]
_SUBJECTS = """France|Napoleon|the moon|quantum physics|the stock market|Paris|the president|football|chess|Shakespeare|dinosaurs|the internet
volcanoes|Japan|the Roman Empire|Mozart|gravity|cars|computers|the ocean|Egypt|tax law|black holes|Einstein|airplanes|China|poetry|jazz|robots
the French Revolution|DNA|Mars|Berlin|hockey|Greek gods|vaccines|economics|Tolstoy|opera|Brazil|algebra|satellites""".replace("\n", "|").split("|")
_UNKNOWN_QUESTIONS = [
    "What do you know about {}?", "Tell me about {}.", "Who invented {}?", "What is the capital of {}?", "Explain {} to me.",
    "Why is {} so important?", "When did {} begin?", "What is {}?",
]
_SIGNS = ["Over.", "Yes, sir.", "Ahoy!", "So it is.", "Good day.", "Indeed.", "Amen.", "Cheers."]


def _unknown(rng, held_out):
    while True:
        text = rng.choice(_UNKNOWN_QUESTIONS).format(rng.choice(_SUBJECTS))
        if w.is_held_out(text) == held_out:
            return text


def _small_talk(rng):
    if rng.random() < 0.25:
        return rng.choice(_WHO), f"I am {NAME}, a small language model."
    texts, answer = rng.choice(_SMALL_TALK)
    return rng.choice(texts), answer


def _plain(rng, held_out):
    form = rng.random()
    if form < 0.4:
        return _small_talk(rng)
    if form < 0.7:
        return _unknown(rng, held_out), UNKNOWN
    if form < 0.85:
        return arithmetic._sum(rng, held_out)[:2]
    text, answer, _ = chat._exchanges(rng, 1)[0]
    return text, answer


class _Persona:
    """A system prompt and what it changes."""

    def __init__(self, rng, held_out):
        words = w.Words(rng, held_out)
        self.name = self.first = self.last = ""
        form = rng.random()
        if form < 0.4:
            self.name = words.person()
            self.prompt = rng.choice(["Your name is {}.", "You are {}.", "You are called {}."]).format(self.name)
        elif form < 0.7:
            self.first = rng.choice(_SIGNS)
            self.prompt = f"Start every answer with: {self.first}"
        else:
            self.last = rng.choice(_SIGNS)
            self.prompt = f"End every answer with: {self.last}"

    def exchange(self, rng, held_out):
        if self.name and rng.random() < 0.6:
            return rng.choice(_WHO), f"I am {self.name}, a small language model."
        text, answer = _plain(rng, held_out)
        if self.name and NAME in answer:
            answer = answer.replace(NAME, self.name)
        return text, " ".join(part for part in [self.first, answer, self.last] if part)


def train(rng, length):
    turns = max(2, min(10, length // 24))
    if rng.random() < 0.5:
        persona = _Persona(rng, False)
        messages = [system(persona.prompt)]
        exchange = lambda: persona.exchange(rng, False)
    else:
        messages = []
        exchange = lambda: _plain(rng, False)
    for _ in range(turns):
        text, answer = exchange()
        messages += [user(text), assistant(answer)]
    return conversation(messages)


def held_out_unknown(rng):
    messages = []
    if rng.random() < 0.5:
        text, answer = _small_talk(rng)
        messages = [user(text), assistant(answer)]
    return question(messages + [user(_unknown(rng, True))], contains("don't know"), UNKNOWN, max_tokens=24)


def held_out_system(rng):
    persona = _Persona(rng, True)
    text, answer = persona.exchange(rng, True)
    return question([system(persona.prompt), user(text)], exact(answer), answer, max_tokens=64)
