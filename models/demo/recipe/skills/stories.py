"""Short stories in simple English about whom and what the user asks for."""

import words as w
from conversation import assistant, conversation, question, user

_HEROES = ["Mia", "Ben", "Lily", "Sam", "Ella", "Max", "Zoe", "Leo", "Ruby", "Finn", "Ivy", "Jack"]
_SHE = {"Mia", "Lily", "Ella", "Zoe", "Ruby", "Ivy"}
_PLACES = ["the forest", "the garden", "the market", "the river", "the old barn", "the hill", "the park", "the beach"]
_OPENINGS = [
    "One {day} morning, {n} went to {place}.",
    "Once upon a time, there was {child} named {n} who loved {place}.",
    "{n} woke up early on a {day} day and walked to {place}.",
]
_MEETINGS = [
    "There {s} met {animal}.", "Near {place}, {s} saw {animal}.", "On the way, {s} found {animal} sitting on a stone.",
]
_PROBLEMS = [
    "The {kind} was sad because it had lost its {thing}.",
    "The {kind} looked for its {thing} but could not find it.",
    "\"I have lost my {thing},\" said the {kind}.",
]
_HELPS = [
    "\"I will help you,\" said {n}.", "{n} wanted to help.", "\"Do not cry,\" said {n}. \"We will look together.\"",
]
_SEARCHES = [
    "They looked under the bushes and behind the trees.", "They looked everywhere, in the grass and under the bench.",
    "They walked along the path and looked left and right.",
]
_FINDS = [
    "At last, {n} found the {thing} under a big leaf.", "Then {n} saw the {thing} behind a rock.",
    "After a while, the {thing} turned up in a hollow tree.",
]
_ENDS = [
    "The {kind} was very happy and danced around.", "\"Thank you, {n}!\" said the {kind}.", "The {kind} smiled and gave {n} a {fruit}.",
]
_LASTS = [
    "From that day on, they were good friends.", "Then {n} went home and told everyone about it.",
    "In the evening, {n} fell asleep with a smile.",
]
_REQUESTS = [
    "Tell me a short story about {n} and {animal}.", "Write a story about {n}, {animal} and {a_thing}.",
    "Can you tell me a story with {n} and {animal}?", "Tell me a story about {n}, who helps {animal} to find its {thing}.",
]


def _story(rng, hero, kind, thing):
    place = rng.choice(_PLACES)
    values = {
        "n": hero, "s": "she" if hero in _SHE else "he", "child": "a girl" if hero in _SHE else "a boy", "place": place, "animal": w.article(kind), "kind": kind,
        "thing": thing, "a_thing": w.article(thing), "day": rng.choice(["sunny", "windy", "rainy", "cold", "warm"]), "fruit": rng.choice(["plum", "pear", "cherry", "peach"]),
    }
    parts = [_OPENINGS, _MEETINGS, _PROBLEMS, _HELPS, _SEARCHES, _FINDS, _ENDS, _LASTS]
    return rng.choice(_REQUESTS).format(**values), " ".join(rng.choice(part).format(**values) for part in parts)


def _cast(rng, held_out):
    while True:
        cast = (rng.choice(_HEROES), rng.choice(w.ANIMALS), rng.choice(w.NOUNS))
        if w.is_held_out(" ".join(cast)) == held_out:
            return cast


def train(rng, length):
    messages = []
    for _ in range(max(1, min(4, length // 160))):
        request, story = _story(rng, *_cast(rng, False))
        messages += [user(request), assistant(story)]
    return conversation(messages)


def held_out(rng):
    cast = _cast(rng, True)
    request, story = _story(rng, *cast)
    return question([user(request)], {"kind": "finished", "words": list(cast[:2]), "min_words": 40}, story, max_tokens=200)
