"""Exercises: what takes more practice than conversations give."""

import random

import torch

from skills import arithmetic


class Repeats:
    """
    Sequences of random tokens, each said twice, which keep the wired heads honest. Conversations ask for little copying per token read, and never
    for the words that are held out; without exercises the heads that copy are soon bent to the words at hand.
    The second time, every token can be known from the first; all of them count.

    Tokens are those below `size`; `twins` are pairs of a token and the same after a space.
    """

    def __init__(self, size, twins):
        self.size = size
        self.generator = torch.Generator().manual_seed(2)
        # By form: as it was, without spaces, with spaces.
        self.forms = torch.arange(size).repeat(3, 1)
        bare, spaced = torch.tensor(twins).T
        self.forms[1, spaced] = bare
        self.forms[2, bare] = spaced

    def _random(self):
        return torch.rand((), generator=self.generator).item()

    def _integers(self, high, *shape):
        return torch.randint(high, shape, generator=self.generator)

    def draw(self, tokens):
        """ids and which of them are to be learned, [rows, length] each, with about `tokens` ids in all."""
        length = int(2 ** (5 + 4.5 * self._random()))
        rows, half = max(1, tokens // length), length // 2
        # Few different tokens make one token alone ambiguous: those before it must be looked at too.
        pool = min(self.size, max(12, int(half * 2 ** (3 * self._random() - 1.5))))
        pools = torch.rand(rows, self.size, generator=self.generator).topk(pool).indices
        once = pools.gather(1, self._integers(pool, rows, half))
        twice = self.forms[self._integers(3, rows, 1), once]
        between = self._integers(self.size, rows, 16)
        ids = torch.zeros(rows, 2 * half + 16, dtype=torch.long)
        learned = torch.zeros_like(ids, dtype=torch.bool)
        for row in range(rows):
            # Its length differs from row to row, so that distances say nothing.
            gap = 1 + int(self._integers(16))
            ids[row, :2 * half + gap] = torch.cat([once[row], between[row, :gap], twice[row]])
            learned[row, half + gap + 2:2 * half + gap] = True
        return ids, learned


class Sums:
    """Sums and some differences, asked in the shortest way, one after the other. What the assistant says counts."""

    LENGTH = 160

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.rng = random.Random(3)
        self.pairs = arithmetic.training_pairs()
        self.begin = tokenizer.encode("<|assistant|>")[0]

    def draw(self, tokens):
        """ids and which of them are to be learned, [rows, length] each, with about `tokens` ids in all."""
        rows = [self._row() for _ in range(max(1, tokens // self.LENGTH))]
        return torch.tensor([ids for ids, _ in rows]), torch.tensor([learned for _, learned in rows])

    def _row(self):
        ids, learned = [], []
        while len(ids) < self.LENGTH:
            a, b = self.rng.choice(self.pairs)
            if self.rng.random() < 0.8:
                question, answer = f"{a} + {b}", arithmetic.sum_of(a, b)
            else:
                question, answer = f"{a + b} - {a}", arithmetic.difference_of(a, b)
            more = self.tokenizer.encode(f"<|user|>{question}<|end|><|assistant|>{answer}<|end|>")
            said = more.index(self.begin)
            ids += more
            learned += [i > said for i in range(len(more))]
        return ids[:self.LENGTH], learned[:self.LENGTH]
