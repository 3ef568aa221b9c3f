"""Words that conversations are made of, and the split of names and values into training and held-out ones.

A name (or code, or number) is held out when a checksum of it says so. Training conversations of the skills that must
generalise (recall, lists, JSON, tools) never contain a held-out name or value; held-out conversations contain no other.
"""

import zlib

SIZES = "small big old new tall heavy little round".split()
COLORS = "red blue green yellow black white brown purple orange gray pink silver golden".split()
NOUNS = """box bag key lamp chair table drawer bottle basket jar chest crate door window cup plate hat coat boat cart
wagon bell clock mirror book ring rope ladder brush bucket blanket pillow shelf cabinet safe trunk suitcase envelope
barrel tin case locker folder tent kettle drum flute kite wheel shovel hammer""".split()
ANIMALS = "dog cat horse cow goat sheep rabbit duck hen fox owl mouse parrot turtle pony pig donkey frog".split()
FRUITS = "apple pear plum cherry peach grape lemon melon fig mango banana orange".split()
DRINKS = "tea coffee milk water juice cocoa lemonade cider".split()
FOODS = "bread soup cheese rice pasta cake pie stew salad pancakes potatoes noodles".split()
JOBS = """baker farmer teacher doctor sailor painter carpenter tailor miller gardener potter cook nurse smith
shepherd fisher writer singer pilot driver""".split()
SUBJECTS = "bread tea soup door shop train boat garden letter cake room bus bridge road gate meeting music field barn oven".split()
STATES = "ready late warm cold open closed full empty gone here clean broken quiet lovely done safe".split()

_ONSETS = "Ba Be Bo Da De Do Fa Fe Ga Go Ha He Ja Jo Ka Ke Ko La Le Lo Ma Me Mi Mo Na Ne No Pa Pe Ra Re Ri Ro Sa Se So Ta Te To Va Ve Vi Za Ze Zo".split()
_MIDDLES = "la le li lo ma mi mo na ne ni no ra re ri ro sa si ta ti to va vi da di ka ki".split()
_PERSON_ENDS = "n na ra lia ko s th ria lo mi dan rin".split()
_TOWN_ENDS = "ton ville ford burg stead mouth field dale wick port".split()


# How often a value is a word that means nothing.
MADE_UP = 0.3


def is_held_out(value):
    """Whether a name or value is kept from training."""
    return zlib.crc32(f"split:{value}".encode()) % 10 == 0


class Words:
    """Draws names and values of one side of the split."""

    def __init__(self, rng, held_out=False):
        self.rng = rng
        self.held_out = held_out

    def _draw(self, make, used):
        while True:
            value = make()
            if is_held_out(value) == self.held_out and (used is None or value not in used):
                if used is not None:
                    used.add(value)
                return value

    def pick(self, values):
        return values[int(self.rng.random() * len(values))]

    def value(self, values):
        """One of a list, of which every sixth is held out; in training often a word that means nothing, as no list teaches to copy what is not on it."""
        if not self.held_out and self.rng.random() < MADE_UP:
            return (self.pick(_ONSETS) + self.pick(_MIDDLES) + self.pick(_PERSON_ENDS + _TOWN_ENDS)).lower()
        side = [value for i, value in enumerate(values) if (i % 6 == 5) == self.held_out]
        return self.pick(side)

    def person(self, used=None):
        return self._draw(lambda: self.pick(_ONSETS) + self.pick(_MIDDLES) + self.pick(_PERSON_ENDS), used)

    def town(self, used=None):
        return self._draw(lambda: self.pick(_ONSETS) + self.pick(_MIDDLES) + self.pick(_TOWN_ENDS), used)

    def thing(self, used=None):
        """A color and a noun, often with another word before them."""
        return self._draw(lambda: f"{self.pick(SIZES)} {self._plain_thing()}" if self.rng.random() < 0.4 else self._plain_thing(), used)

    def _plain_thing(self):
        return f"{self.pick(COLORS)} {self.pick(NOUNS)}"

    def phrase(self, used=None):
        """A short statement."""
        return self._draw(lambda: f"the {self.pick(SUBJECTS)} is {self.pick(STATES)}", used)

    def code(self, digits=4, used=None):
        return self._draw(lambda: str(self.rng.randrange(10 ** (digits - 1), 10**digits)), used)

    def number(self, low, high, used=None):
        """A whole number as text, from low to high; about a tenth of each range is held out."""
        return self._draw(lambda: str(self.rng.randint(low, high)), used)


def join(items):
    """a, b and c"""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def article(word):
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
