"""Talk about the village, with follow-ups that need earlier turns."""

import itertools

import words as w
from conversation import assistant, contains, conversation, question, user
from world import PEOPLE, PLACES, THINGS, VILLAGE


def _capital(text):
    return text[0].upper() + text[1:]


class _Attribute:
    """Questions about a person by name, follow-ups by pronoun, the answer, and what must be in it."""

    def __init__(self, questions, follow_ups, answer, key):
        self.questions, self.follow_ups, self.answer, self.key = questions, follow_ups, answer, key


_ATTRIBUTES = {
    "job": _Attribute(
        ["What does {n} do?", "What is {n}'s job?", "What does {n} do for a living?"],
        ["What does {s} do?", "And what is {p} job?", "What is {p} job?"],
        "{n} is {job}.", "job"),
    "home": _Attribute(
        ["Where does {n} live?", "Where is {n}'s home?", "Which house does {n} live in?"],
        ["Where does {s} live?", "And where does {s} live?", "Where is {p} home?"],
        "{n} lives in {home}.", "home"),
    "pet": _Attribute(
        ["Does {n} have a pet?", "What pet does {n} have?", "Which animal does {n} have?"],
        ["Does {s} have a pet?", "And what pet does {s} have?"],
        "{n} has {pet} called {pet_name}.", "pet_name"),
    "food": _Attribute(
        ["What does {n} like to eat?", "What is {n}'s favorite food?"],
        ["What does {s} like to eat?", "And what is {p} favorite food?"],
        "{n} likes {food} best.", "food"),
    "friend": _Attribute(
        ["Who is {n}'s best friend?", "Who is the best friend of {n}?"],
        ["Who is {p} best friend?", "And who is {p} best friend?"],
        "{n}'s best friend is {friend}.", "friend"),
    "age": _Attribute(
        ["How old is {n}?", "What is {n}'s age?"],
        ["How old is {s}?", "And how old is {s}?"],
        "{n} is {age} years old.", "age"),
}


def _fill(text, person):
    return text.format(n=person.name, s=person.subject, p=person.possessive, job=w.article(person.job), home=person.home, pet=w.article(person.pet),
                       pet_name=person.pet_name, food=person.food, friend=person.friend, age=person.age)


def _about_person(rng, turns):
    """Exchanges of question, answer and words that must be in it, following one person and then maybe a friend."""
    person = PEOPLE[rng.choice(list(PEOPLE))]
    named = False
    for _ in range(turns):
        name = rng.choice(list(_ATTRIBUTES))
        attribute = _ATTRIBUTES[name]
        text = _fill(rng.choice(attribute.follow_ups if named and rng.random() < 0.8 else attribute.questions), person)
        yield text, _fill(attribute.answer, person), str(getattr(person, attribute.key))
        named = True
        if name == "friend" and rng.random() < 0.7:
            person = PEOPLE[person.friend]
        elif rng.random() < 0.15:
            person, named = PEOPLE[rng.choice(list(PEOPLE))], False


def _who(rng):
    person = PEOPLE[rng.choice(list(PEOPLE))]
    text, answer = rng.choice([
        (f"Who lives in {person.home}?", f"{person.name} lives in {person.home}."),
        (f"Who is the {person.job} of {VILLAGE}?", f"{person.name} is the {person.job}."),
        (f"Who has {w.article(person.pet)}?", f"{person.name} has {w.article(person.pet)} called {person.pet_name}."),
        (f"Who is {person.pet_name}?", f"{person.pet_name} is {person.name}'s {person.pet}."),
        (f"Whose pet is {person.pet_name}?", f"{person.pet_name} is {person.name}'s {person.pet}."),
        (f"Who likes {person.food}?", f"{person.name} likes {person.food} best."),
    ])
    return person, text, answer


def _about_who(rng, turns):
    person, text, answer = _who(rng)
    yield text, answer, person.name
    for _ in range(turns - 1):
        attribute = _ATTRIBUTES[rng.choice(list(_ATTRIBUTES))]
        yield _fill(rng.choice(attribute.follow_ups), person), _fill(attribute.answer, person), str(getattr(person, attribute.key))


def _about_place(rng, turns):
    place = PLACES[rng.choice(list(PLACES))]
    keeper = PEOPLE[place.keeper]
    about = [
        ([f"Where is {place.name}?"], ["Where is it?", "And where is it?"], f"{_capital(place.name)} is {place.where}.", place.where),
        ([f"What is {place.name} known for?"], ["What is it known for?"], f"{_capital(place.name)} is known for {place.known_for}.", place.known_for),
        ([f"Who looks after {place.name}?"], ["Who looks after it?", "And who looks after it?"], f"{keeper.name} looks after {place.name}.", keeper.name),
    ]
    rng.shuffle(about)
    for i, (questions, follow_ups, answer, key) in enumerate(about[:turns]):
        yield rng.choice(follow_ups if i > 0 and rng.random() < 0.8 else questions), answer, key
    if about[min(turns, 3) - 1][3] == keeper.name:
        attribute = _ATTRIBUTES[rng.choice(list(_ATTRIBUTES))]
        yield _fill(rng.choice(attribute.follow_ups), keeper), _fill(attribute.answer, keeper), str(getattr(keeper, attribute.key))


def _about_thing(rng, _):
    thing = rng.choice(list(THINGS))
    yield rng.choice([f"Where is {thing}?", f"Do you know where {thing} is?"]), THINGS[thing], THINGS[thing][3:-1].split(", ")[0]


_FORMS = [_about_person, _about_person, _about_person, _about_who, _about_who, _about_place, _about_thing]


def _exchanges(rng, most):
    turns = rng.randint(1, most)
    result = []
    while len(result) < turns:
        result += itertools.islice(rng.choice(_FORMS)(rng, turns - len(result)), turns - len(result) + 1)
    return result


def train(rng, length):
    messages = []
    for text, answer, _ in _exchanges(rng, max(2, min(16, length // 24))):
        messages += [user(text), assistant(answer)]
    return conversation(messages)


def held_out(rng):
    exchanges = _exchanges(rng, 5)
    messages = []
    for earlier, said, _ in exchanges[:-1]:
        messages += [user(earlier), assistant(said)]
    text, answer, key = exchanges[-1]
    return question(messages + [user(text)], contains(key), answer, max_tokens=32)
