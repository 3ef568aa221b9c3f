"""
Sums and differences of small numbers. The answer works from the right, one digit after the other, and ends with the equation: steps that a small
model learns from few examples. A tenth of the pairs is held out, in both orders.
"""

from conversation import assistant, contains, conversation, question, user
from words import is_held_out


def _pair_held_out(a, b):
    return is_held_out(f"{min(a, b)}+{max(a, b)}")


def _pair(rng, held_out):
    while True:
        a = rng.randint(0, 99)
        b = rng.randint(0, 99)
        if a + b <= 99 and _pair_held_out(a, b) == held_out:
            return a, b


def _equation_of_sum(a, b):
    return f"{a} + {b} = {a + b}"


def _equation_of_difference(a, b):
    return f"{a + b} - {a} = {b}"


def sum_of(a, b):
    ones = a % 10 + b % 10
    carry = ones // 10
    return f"{a % 10} + {b % 10} = {ones}, {a // 10} + {b // 10} + {carry} = {a // 10 + b // 10 + carry}: {_equation_of_sum(a, b)}"


def difference_of(a, b):
    whole = a + b
    borrow = int(whole % 10 < a % 10)
    return (f"{whole % 10 + 10 * borrow} - {a % 10} = {b % 10}, {whole // 10} - {a // 10} - {borrow} = {b // 10}: "
            f"{_equation_of_difference(a, b)}")


def training_pairs():
    """Every pair that may be trained on."""
    return [(a, b) for a in range(100) for b in range(100 - a) if not _pair_held_out(a, b)]


def _sum(rng, held_out):
    a, b = _pair(rng, held_out)
    text = rng.choice([f"What is {a} + {b}?", f"{a} + {b} = ?", f"Add {a} and {b}.", f"How much is {a} plus {b}?", f"What is {a} + {b}?"])
    return text, sum_of(a, b), _equation_of_sum(a, b)


def _difference(rng, held_out):
    a, b = _pair(rng, held_out)
    text = rng.choice([f"What is {a + b} - {a}?", f"{a + b} - {a} = ?", f"How much is {a + b} minus {a}?"])
    return text, difference_of(a, b), _equation_of_difference(a, b)


def train(rng, length):
    messages = []
    for _ in range(max(2, min(24, length // 45))):
        text, answer, _ = (_difference if rng.random() < 0.2 else _sum)(rng, False)
        messages += [user(text), assistant(answer)]
    return conversation(messages)


def held_out(rng):
    text, answer, equation = _sum(rng, True)
    return question([user(text)], contains(equation), answer, max_tokens=48)


def held_out_difference(rng):
    text, answer, equation = _difference(rng, True)
    return question([user(text)], contains(equation), answer, max_tokens=48)
