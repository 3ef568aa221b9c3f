"""JSON on request: an object with the asked-for fields, filled from the conversation."""

import json

import words as w
from conversation import assistant, conversation, question, user


class _Person:
    """Somebody and what is said of them: by name in every sentence, unless they are `alone`, when nobody else can be meant."""

    def __init__(self, words, used, alone):
        self.name = words.person(used)
        pronoun = words.pick(["He", "She"])
        age, town, job = int(words.number(18, 89)), words.town(), words.value(w.JOBS)
        color, pet, room = words.value(w.COLORS), words.value(w.ANIMALS), int(words.code(3))
        fields = {
            "age": (age, [f"{{}} is {age} years old."]),
            "city": (town, [f"{{}} lives in {town}.", f"{{}} comes from {town}."]),
            "job": (job, [f"{{}} works as {w.article(job)}.", f"{{}} is {w.article(job)}."]),
            "color": (color, [f"{{}} likes the color {color}."]),
            "pet": (pet, [f"{{}} has {w.article(pet)}."]),
            "room": (room, [f"{{}} is in room {room}."]),
        }
        count = words.rng.randint(2, 5)
        kept = words.rng.sample(list(fields), count)
        self.values = {"name": self.name} | {key: fields[key][0] for key in kept}
        sentences = [words.pick(fields[key][1]) for key in kept]
        self.text = " ".join(text.format(pronoun if alone and i > 0 and words.rng.random() < 0.8 else self.name) for i, text in enumerate(sentences))


def _ask(words, person):
    others = [key for key in person.values if key != "name"]
    keys = words.rng.sample(others, words.rng.randint(1, len(others)))
    if words.rng.random() < 0.8:
        keys.insert(0, "name")
    elif words.rng.random() < 0.5:
        keys.insert(words.rng.randint(0, len(keys)), "name")
    fields = w.join(keys)
    text = words.pick([
        f"Give me JSON about {person.name} with {fields}.",
        f"Write {person.name} as a JSON object with the fields {fields}.",
        f"Make a JSON object for {person.name} with {fields}.",
        f"Return JSON with {fields} for {person.name}.",
    ])
    return text, {key: person.values[key] for key in keys}


def _people(rng, held_out, count):
    words = w.Words(rng, held_out)
    used = set()
    people = [_Person(words, used, count == 1) for _ in range(count)]
    return words, people


def train(rng, length):
    words, people = _people(rng, False, max(1, min(12, round(length / 100))))
    messages = []
    text = " ".join(person.text for person in people)
    for i in range(rng.randint(2, 3) + len(people)):
        request, answer = _ask(words, rng.choice(people))
        messages += [user(f"{text} {request}" if i == 0 else request), assistant(json.dumps(answer))]
    return conversation(messages)


def held_out(rng):
    words, people = _people(rng, True, rng.randint(1, 4))
    request, answer = _ask(words, rng.choice(people))
    text = " ".join(person.text for person in people)
    return question([user(f"{text} {request}")], {"kind": "json", "answer": answer}, json.dumps(answer), max_tokens=96)
