"""Facts stated anywhere in the context are repeated on demand, with many distractors between."""

from conversation import assistant, conversation, exact, question, system, user
from skills.facts import FactSource

_FILLERS = """The weather was mild that day.|It rained a little in the morning.|Nobody was in a hurry.|The street was quiet.
A bird sang in the old tree.|The market opened at nine.|Some children played outside.|The bus was late again.|Lunch was served at noon.
The river was high after the storm.|All of this was written down with care.|The list goes on.|A letter came from the north.
The evening was long and warm.|The clock struck four.|There was a smell of fresh bread.""".replace("\n", "|").split("|")
_TAKEN = ["OK.", "I will remember that.", "Noted."]
_ASKS = ["Remember this.", "Please remember the following.", "Here are some facts.", "Keep these notes in mind.", "Read this."]
_UNKNOWN = "I don't know about that."
TOKENS_PER_FACT = 10.7


def _sentences(rng, facts):
    result = []
    for fact in facts:
        result.append(rng.choice(fact.statements))
        if rng.random() < 0.12:
            result.append(rng.choice(_FILLERS))
    return result


def _layout(rng, facts, first_question):
    """The messages up to and with the first question."""
    form = rng.random()
    if form < 0.35:
        text = " ".join(_sentences(rng, facts))
        lead = rng.choice(_ASKS) + " " if rng.random() < 0.4 else ""
        return [user(f"{lead}{text} {first_question}")]
    if form < 0.6:
        return [system(rng.choice(["Notes:", "You know these facts.", "Answer from these notes."]) + " " + " ".join(_sentences(rng, facts))), user(first_question)]
    parts = 1 if form < 0.8 else rng.randint(2, 4)
    messages = []
    for part in range(parts):
        some = facts[part * len(facts) // parts:(part + 1) * len(facts) // parts]
        if some:
            messages += [user(f"{rng.choice(_ASKS)} {' '.join(_sentences(rng, some))}"), assistant(rng.choice(_TAKEN))]
    return messages + [user(first_question)]


def train(rng, length):
    facts_count = max(1, round(length / TOKENS_PER_FACT * rng.uniform(0.5, 0.9)))
    source = FactSource(rng, held_out=False)
    facts = [source.draw() for _ in range(facts_count)]
    asked = rng.sample(facts, min(len(facts), rng.randint(2, 5) + facts_count // 6))
    messages = []
    for i, fact in enumerate(asked):
        text = rng.choice(fact.questions)
        messages += _layout(rng, facts, text) if i == 0 else [user(text)]
        messages.append(assistant(fact.answer))
    if rng.random() < 0.15:
        messages += [user(rng.choice(source.draw().questions)), assistant(_UNKNOWN)]
    return conversation(messages)


def held_out(rng, length):
    source = FactSource(rng, held_out=True)
    facts = [source.draw() for _ in range(max(2, round((length - 30) / TOKENS_PER_FACT)))]
    fact = rng.choice(facts)
    return question(_layout(rng, facts, rng.choice(fact.questions)), exact(fact.answer), fact.answer, max_tokens=16)
