"""Copying and reversing short lists."""

import words as w
from conversation import assistant, conversation, exact, question, user

_COPY = ["Repeat this list: {}.", "Copy this: {}.", "Say this back to me: {}.", "Repeat these words: {}."]
_REVERSE = ["Reverse this list: {}.", "Say this list backwards: {}.", "Write this list in reverse order: {}."]


def _items(rng, held_out, longest):
    words = w.Words(rng, held_out)
    kinds = [words.person, words.town, lambda used: words.number(10, 99, used), lambda used: words.code(3, used), words.thing]
    kind = None if rng.random() < 0.3 else rng.choice(kinds)
    used = set()
    items = []
    plain = not held_out and rng.random() < 0.3
    for _ in range(rng.randint(2, longest)):
        items.append(words.pick(w.NOUNS + w.ANIMALS + w.FRUITS) if plain else (kind or rng.choice(kinds))(used))
    return items


def _task(rng, held_out, reverse, longest):
    items = _items(rng, held_out, longest)
    text = rng.choice(_REVERSE if reverse else _COPY).format(", ".join(items))
    return text, ", ".join(items[::-1] if reverse else items)


def train(rng, length):
    messages = []
    for _ in range(max(1, min(10, length // 45))):
        text, answer = _task(rng, False, rng.random() < 0.3, 8)
        messages += [user(text), assistant(answer)]
    return conversation(messages)


def held_out(rng, reverse):
    text, answer = _task(rng, True, reverse, 7)
    return question([user(text)], exact(answer), answer, max_tokens=64)
