"""Sums and differences of small numbers. A tenth of the pairs is held out, in both orders."""

from conversation import assistant, conversation, exact, question, user
from words import is_held_out


def _pair_held_out(a, b):
    return is_held_out(f"{min(a, b)}+{max(a, b)}")


def _pair(rng, held_out):
    while True:
        a = rng.randint(0, 99)
        b = rng.randint(0, 99)
        if a + b <= 99 and _pair_held_out(a, b) == held_out:
            return a, b


def _sum(rng, held_out):
    a, b = _pair(rng, held_out)
    text = rng.choice([f"What is {a} + {b}?", f"{a} + {b} = ?", f"Add {a} and {b}.", f"How much is {a} plus {b}?", f"What is {a} + {b}?"])
    return text, str(a + b)


def _difference(rng, held_out):
    a, b = _pair(rng, held_out)
    text = rng.choice([f"What is {a + b} - {a}?", f"{a + b} - {a} = ?", f"How much is {a + b} minus {a}?"])
    return text, str(b)


def train(rng, length):
    messages = []
    for _ in range(max(2, min(24, length // 17))):
        text, answer = (_difference if rng.random() < 0.2 else _sum)(rng, False)
        messages += [user(text), assistant(answer)]
    return conversation(messages)


def held_out(rng):
    text, answer = _sum(rng, True)
    return question([user(text)], exact(answer), max_tokens=8)


def held_out_difference(rng):
    text, answer = _difference(rng, True)
    return question([user(text)], exact(answer), max_tokens=8)
