"""Writes training and held-out conversations: the same bytes on every machine.

    generate.py OUT [--shards N] [--shard-size CONVERSATIONS]

OUT/train-NNN.jsonl holds conversations to learn from, longer ones in later shards; OUT/heldout.jsonl the ones that
`llmc model eval` asks. None of the held-out conversations is in a shard.
"""

import argparse
import json
import math
import os
import random

from skills import arithmetic, chat, json_objects, lists, manners, recall, stories, tools

# Share of conversations in earlier shards, in later ones, and the longest in tokens. Looking up comes first; what is built on it gets more
# practice afterwards.
TRAIN = [
    (recall.train, 0.30, 0.12, 1900), (chat.train, 0.16, 0.17, 300), (json_objects.train, 0.13, 0.40, 400), (tools.train, 0.13, 0.10, 500),
    (lists.train, 0.10, 0.16, 350), (arithmetic.train, 0.20, 0.10, 350), (manners.train, 0.05, 0.08, 250), (stories.train, 0.03, 0.02, 400),
]
LATER_FROM = 5
RECALL_LENGTHS = [128, 256, 512, 1000, 1500]


def train_conversation(shard, index):
    rng = random.Random(f"train-{shard}-{index}")
    make, _, _, longest = rng.choices(TRAIN, [row[2 if shard >= LATER_FROM else 1] for row in TRAIN])[0]
    # Half of each shard is short; how long the rest may be grows with the shards.
    cap = min(longest, [192, 320, 640, 1200, 1900][min(shard, 4)])
    length = math.exp(rng.uniform(math.log(48), math.log(cap)))
    return make(rng, int(length))


def held_out_conversations(count):
    plan = [(f"recall-{n}", "recall", str(n), (lambda n: lambda rng: recall.held_out(rng, n))(n), count // 2) for n in RECALL_LENGTHS]
    plan += [
        ("chat", "chat", None, chat.held_out, count), ("arithmetic", "arithmetic", None, arithmetic.held_out, count),
        ("difference", "difference", None, arithmetic.held_out_difference, count // 2),
        ("copy", "copy", None, lambda rng: lists.held_out(rng, False), count), ("reverse", "reverse", None, lambda rng: lists.held_out(rng, True), count // 2),
        ("json", "json", None, json_objects.held_out, count), ("tools", "tools", None, tools.held_out, count),
        ("unknown", "unknown", None, manners.held_out_unknown, count // 4), ("system", "system", None, manners.held_out_system, count // 2),
        ("story", "story", None, stories.held_out, count // 10),
    ]
    for prefix, skill, bucket, make, number in plan:
        for i in range(number):
            yield {"id": f"{prefix}-{i:04}", "skill": skill} | ({"bucket": bucket} if bucket else {}) | make(random.Random(f"heldout-{prefix}-{i}"))


def key(conversation):
    """What makes two conversations the same."""
    return json.dumps([conversation["messages"], conversation.get("tools")])


def prompts_of(conversation):
    """Everything in a training conversation that could be a held-out one: its beginnings that end with the user."""
    messages = conversation["messages"]
    for i, message in enumerate(messages):
        if message["role"] == "user":
            yield key({"messages": messages[:i + 1], "tools": conversation.get("tools")})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--shard-size", type=int, default=8000)
    parser.add_argument("--held-out", type=int, default=200)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    held = list({key(c): c for c in held_out_conversations(args.held_out)}.values())
    kept_back = {key(c) for c in held}
    with open(os.path.join(args.out, "heldout.jsonl"), "w") as file:
        for conversation in held:
            file.write(json.dumps(conversation) + "\n")
    for shard in range(args.first_shard, args.first_shard + args.shards):
        dropped = 0
        path = os.path.join(args.out, f"train-{shard:03}.jsonl")
        with open(path + ".new", "w") as file:
            for index in range(args.shard_size):
                conversation = train_conversation(shard, index)
                if kept_back.isdisjoint(prompts_of(conversation)):
                    file.write(json.dumps(conversation) + "\n")
                else:
                    dropped += 1
        os.replace(path + ".new", path)
        print(f"{path}: {args.shard_size - dropped} conversations, {dropped} left out because they are held out", flush=True)


if __name__ == "__main__":
    main()
