"""Facts as sentences, with questions about them: what recall, JSON and system prompts talk about."""

import words as w


class Fact:
    """A statement, the questions that it answers, and the answer."""

    def __init__(self, statements, questions, answer):
        self.statements = statements
        self.questions = questions
        self.answer = answer


class FactSource:
    """Makes facts whose keys differ from each other."""

    def __init__(self, rng, held_out):
        self.rng = rng
        self.words = w.Words(rng, held_out)
        self.things = set()
        self.people = set()
        self.kinds = [self.code, self.code, self.code, self.lives, self.favorite, self.owns, self.room, self.job, self.keeps]

    def draw(self):
        return self.words.pick(self.kinds)()

    def code(self):
        thing, code = self.words.thing(self.things), self.words.code()
        return Fact(
            [f"The code of the {thing} is {code}.", f"The {thing} has the code {code}."],
            [f"What is the code of the {thing}?", f"Which code does the {thing} have?", f"Tell me the code of the {thing}."],
            code)

    def lives(self):
        person, town = self.words.person(self.people), self.words.town()
        return Fact(
            [f"{person} lives in {town}.", f"The home of {person} is in {town}."],
            [f"Where does {person} live?", f"In which town does {person} live?"],
            town)

    def favorite(self):
        person = self.words.person(self.people)
        kind, values = self.words.pick([("color", w.COLORS), ("fruit", w.FRUITS), ("animal", w.ANIMALS), ("drink", w.DRINKS), ("food", w.FOODS)])
        value = self.words.value(values)
        return Fact([f"{person}'s favorite {kind} is {value}."], [f"What is {person}'s favorite {kind}?", f"Which {kind} does {person} like best?"], value)

    def owns(self):
        thing, person = self.words.thing(self.things), self.words.person(self.people)
        return Fact(
            [f"The {thing} belongs to {person}.", f"The {thing} is owned by {person}."],
            [f"Who owns the {thing}?", f"Who does the {thing} belong to?"],
            person)

    def keeps(self):
        thing, person = self.words.thing(self.things), self.words.person(self.people)
        return Fact([f"{person} carries the {thing}."], [f"What does {person} carry?"], f"the {thing}")

    def room(self):
        person, room = self.words.person(self.people), self.words.code(3)
        return Fact([f"{person} is in room {room}.", f"The room of {person} is {room}."], [f"Which room is {person} in?", f"What is the room of {person}?"], room)

    def job(self):
        person, job = self.words.person(self.people), self.words.value(w.JOBS)
        return Fact([f"{person} works as {w.article(job)}."], [f"What is {person}'s job?", f"What does {person} do for a living?"], job)
